/* A disk that holds only what was synced: LD_PRELOAD. `kill -9` leaves the page cache behind, a power cut does not.
 *
 * Below $PH_DISK every fsync and fdatasync notes what is durable from then on, in $PH_SHADOW (of the same file system):
 *   files/INODE    the bytes of a file, as of its last sync
 *   folders/INODE  the names in a folder, as of the folder's last sync: lines of inode, f or d, name
 *   held/INODE     a second link, so that no inode number is used again while something durable goes by it
 * A note is renamed into place before the call returns; one lock orders the notes of all processes. The real sync is left out: it
 * would only make the tests slow. What a power cut leaves is put together from these notes in `powercut.py`.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note_name(char *into, const char *kind, ino_t inode, const char *end) {
    snprintf(into, PATH_MAX, "%s/%s/%lu%s", getenv("PH_SHADOW"), kind, (unsigned long)inode, end);
}

static int failed(void) {
    errno = EIO;
    return -1;
}

static int placed(FILE *made, const char *aside, const char *note) {
    return fclose(made) == 0 && rename(aside, note) == 0 ? 0 : failed();
}

static int keep_file(int file, ino_t inode) {
    char link[64], held[PATH_MAX], aside[PATH_MAX], note[PATH_MAX], data[1 << 16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    note_name(held, "held", inode, "");
    if (linkat(AT_FDCWD, link, AT_FDCWD, held, AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST) return failed();
    note_name(aside, "files", inode, ".new");
    note_name(note, "files", inode, "");
    int source = open(link, O_RDONLY | O_CLOEXEC); /* the descriptor itself may be open for writing only */
    FILE *made = fopen(aside, "wbe");
    if (source < 0 || made == NULL) return failed();
    ssize_t size;
    while ((size = read(source, data, sizeof data)) > 0) fwrite(data, 1, (size_t)size, made);
    close(source);
    return placed(made, aside, note);
}

static int keep_folder(const char *path, ino_t inode) {
    char held[PATH_MAX], whole[PATH_MAX + NAME_MAX + 2], aside[PATH_MAX], note[PATH_MAX];
    note_name(aside, "folders", inode, ".new");
    note_name(note, "folders", inode, "");
    DIR *folder = opendir(path);
    FILE *made = fopen(aside, "we");
    if (folder == NULL || made == NULL) return failed();
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (entry->d_type != DT_REG && entry->d_type != DT_DIR) continue;
        fprintf(made, "%lu %c %s\n", (unsigned long)entry->d_ino, entry->d_type == DT_REG ? 'f' : 'd', entry->d_name);
        if (entry->d_type != DT_REG) continue;
        snprintf(whole, sizeof whole, "%s/%s", path, entry->d_name);
        note_name(held, "held", entry->d_ino, "");
        if (link(whole, held) != 0 && errno != EEXIST && errno != ENOENT) return failed();
    }
    closedir(folder);
    return placed(made, aside, note);
}

static int keep(int file, int (*otherwise)(int)) {
    char link[64], path[PATH_MAX], lock[PATH_MAX];
    const char *disk = getenv("PH_DISK");
    struct stat told;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (disk == NULL || length <= 0 || fstat(file, &told) != 0) return otherwise(file);
    path[length] = 0;
    if (strncmp(path, disk, strlen(disk)) != 0 || told.st_nlink == 0) return otherwise(file);
    snprintf(lock, sizeof lock, "%s/lock", getenv("PH_SHADOW"));
    int held = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (held < 0 || flock(held, LOCK_EX) != 0) return failed();
    int done = S_ISDIR(told.st_mode) ? keep_folder(path, told.st_ino) : keep_file(file, told.st_ino);
    close(held);
    return done;
}

int fsync(int file) { return keep(file, REAL(fsync)); }
int fdatasync(int file) { return keep(file, REAL(fdatasync)); }
