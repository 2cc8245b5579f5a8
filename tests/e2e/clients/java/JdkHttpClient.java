import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Iterator;

/** java.net.http.HttpClient, which knows lines but no events: the program parses them, and reconnects. */
final class JdkHttpClient {
    private static String lastId = "";
    private static long retryMs = 3000;

    public static void main(String[] arguments) throws InterruptedException {
        HttpClient client = HttpClient.newHttpClient();
        while (true) {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(arguments[0])).header("Accept", "text/event-stream");
            if (!lastId.isEmpty())
                request.header("Last-Event-ID", lastId);
            try {
                HttpResponse<java.util.stream.Stream<String>> response =
                        client.send(request.build(), HttpResponse.BodyHandlers.ofLines());
                if (response.statusCode() == 200)
                    follow(response.body().iterator());
            } catch (java.io.IOException | java.io.UncheckedIOException error) {
                System.err.println(error);
            }
            Thread.sleep(retryMs);
        }
    }

    private static void follow(Iterator<String> lines) {
        String event = "", id = lastId;
        StringBuilder data = new StringBuilder();
        while (lines.hasNext()) {
            String line = lines.next();
            if (line.isEmpty()) {
                lastId = id;
                if (data.length() > 0)
                    Show.event(event, lastId, data.substring(0, data.length() - 1));
                event = "";
                data.setLength(0);
            }
            int colon = line.indexOf(':');
            String name = colon < 0 ? line : line.substring(0, colon), value = colon < 0 ? "" : line.substring(colon + 1);
            value = value.startsWith(" ") ? value.substring(1) : value;
            switch (name) {
                case "event" -> event = value;
                case "data" -> data.append(value).append('\n');
                case "id" -> id = value;
                case "retry" -> retryMs = Long.parseLong(value);
                default -> { }
            }
        }
    }
}
