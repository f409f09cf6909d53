import java.util.HashMap;
import java.util.List;
import java.util.ArrayList;
import java.util.Map;
import org.komamitsu.fluency.EventTime;
import org.komamitsu.fluency.Fluency;
import org.komamitsu.fluency.fluentd.FluencyBuilderForFluentd;

/**
 * Emits records with Fluency, several jobs at once, and says of each whether all its records left: with acks, whether all were
 * acknowledged.
 *
 * <p>Send COUNT JOB…, a job being PORT,TAG,ack|plain,tls|tcp,eventtime|seconds. Record n is {"id": "TAG-n", "text": …}.
 */
public final class Send {
  public static void main(String[] args) throws Exception {
    int count = Integer.parseInt(args[0]);
    List<Thread> threads = new ArrayList<>();
    for (int n = 1; n < args.length; n++) {
      String[] job = args[n].split(",");
      Thread thread = new Thread(() -> run(count, job));
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
  }

  private static void run(int count, String[] job) {
    boolean all = false;
    try {
      all = send(count, job);
    } catch (Exception error) {
      error.printStackTrace();
    }
    System.out.printf("{\"tag\": \"%s\", \"sent\": %d, \"acked\": %d}%n", job[1], count, all ? count : 0);
  }

  private static boolean send(int count, String[] job) throws Exception {
    FluencyBuilderForFluentd builder = new FluencyBuilderForFluentd();
    builder.setAckResponseMode(job[2].equals("ack"));
    builder.setSslEnabled(job[3].equals("tls"));
    builder.setFlushAttemptIntervalMillis(50);
    builder.setWaitUntilBufferFlushed(60);
    builder.setWaitUntilFlusherTerminated(60);
    Fluency fluency = builder.build("localhost", Integer.parseInt(job[0]));
    long second = System.currentTimeMillis() / 1000;
    for (int n = 0; n < count; n++) {
      Map<String, Object> record = new HashMap<>();
      record.put("id", job[1] + "-" + n);
      record.put("text", "snow \u2603");
      if (job[4].equals("eventtime")) {
        fluency.emit(job[1], EventTime.fromEpoch(second, n), record);
      } else {
        fluency.emit(job[1], second, record);
      }
    }
    fluency.flush();
    boolean all = fluency.waitUntilAllBufferFlushed(60);
    fluency.close();
    fluency.waitUntilFlusherTerminated(60);
    return all;
  }
}
