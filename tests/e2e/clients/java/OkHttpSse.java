import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.sse.EventSource;
import okhttp3.sse.EventSourceListener;
import okhttp3.sse.EventSources;

/** okhttp-sse, which follows one stream: the program reconnects. It tells nobody of `retry:`, nor of ids without data. */
final class OkHttpSse extends EventSourceListener {
    private static final long RETRY_MS = 200;
    private final EventSource.Factory factory;
    private final String url;
    private String lastId = "";

    private OkHttpSse(String url) {
        OkHttpClient client = new OkHttpClient.Builder().readTimeout(0, TimeUnit.MILLISECONDS).build();
        factory = EventSources.createFactory(client);
        this.url = url;
    }

    public static void main(String[] arguments) {
        new OkHttpSse(arguments[0]).open();
    }

    private void open() {
        Request.Builder request = new Request.Builder().url(url);
        if (!lastId.isEmpty())
            request.header("Last-Event-ID", lastId);
        factory.newEventSource(request.build(), this);
    }

    @Override
    public void onEvent(EventSource source, String id, String type, String data) {
        lastId = id == null ? lastId : id;
        Show.event(type, id, data);
    }

    @Override
    public void onClosed(EventSource source) {
        reopen();
    }

    @Override
    public void onFailure(EventSource source, Throwable error, Response response) {
        System.err.println(error + " " + response);
        reopen();
    }

    private void reopen() {
        try {
            Thread.sleep(RETRY_MS);
        } catch (InterruptedException error) {
            return;
        }
        open();
    }
}
