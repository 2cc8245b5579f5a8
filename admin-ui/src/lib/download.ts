/** Hands a text to the browser as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** A topic as the name of a file: what file systems do not take is left out. */
export function fileNameOf(topic: string): string {
  return topic.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "") || "topic";
}
