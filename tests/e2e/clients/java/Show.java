/** Prints an event as all client programs do. */
final class Show {
    static void event(String event, String id, String data) {
        System.out.println("{\"event\": " + quoted(event == null || event.isEmpty() ? "message" : event) + ", \"id\": " + quoted(id)
                + ", \"data\": " + quoted(data.substring(0, Math.min(data.length(), 99))) + ", \"size\": " + data.length() + "}");
        System.out.flush();
    }

    private static String quoted(String text) {
        return text == null ? "null" : '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }
}
