/* A file system that turns read-only under a running process, as a kernel does after an error: LD_PRELOAD, works for root too.
 *
 * While the file $PH_READONLY exists, everything below the path written in it can be read and not be changed: EROFS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int frozen(const char *path) {
    const char *flag = getenv("PH_READONLY");
    char below[PATH_MAX], whole[PATH_MAX];
    if (flag == NULL || path == NULL || access(flag, F_OK) != 0) return 0;
    int file = REAL(open)(flag, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, below, sizeof below - 1);
    close(file);
    if (length <= 0) return 0;
    below[length] = 0;
    if (path[0] != '/') {
        if (getcwd(whole, sizeof whole) == NULL) return 0;
        snprintf(whole + strlen(whole), sizeof whole - strlen(whole), "/%s", path);
        path = whole;
    }
    return strncmp(path, below, (size_t)length) == 0;
}

static int frozen_fd(int file) {
    char link[64], path[PATH_MAX];
    const char *flag = getenv("PH_READONLY");
    if (flag == NULL || access(flag, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return frozen(path);
}

#define REFUSED(when) do { if (when) { errno = EROFS; return -1; } } while (0)
#define CHANGES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        REFUSED(CHANGES(flags) && frozen(path)); \
        return REAL(name)(path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        REFUSED(CHANGES(flags) && frozen(path)); \
        return REAL(name)(folder, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int file, const void *data, size_t size) { REFUSED(frozen_fd(file)); return REAL(write)(file, data, size); }
ssize_t writev(int file, const struct iovec *parts, int count) { REFUSED(frozen_fd(file)); return REAL(writev)(file, parts, count); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) { REFUSED(frozen_fd(file)); return REAL(pwrite)(file, data, size, at); }
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) { REFUSED(frozen_fd(file)); return REAL(pwrite64)(file, data, size, at); }
int ftruncate(int file, off_t size) { REFUSED(frozen_fd(file)); return REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { REFUSED(frozen_fd(file)); return REAL(ftruncate64)(file, size); }
int unlink(const char *path) { REFUSED(frozen(path)); return REAL(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) { REFUSED(frozen(path)); return REAL(unlinkat)(folder, path, flags); }
int rename(const char *from, const char *to) { REFUSED(frozen(from) || frozen(to)); return REAL(rename)(from, to); }
int mkdir(const char *path, mode_t mode) { REFUSED(frozen(path)); return REAL(mkdir)(path, mode); }
