// What a listener has answered: in the browser until the end, as CSV at the end.
const COLUMNS = ["test", "version", "kind", "listener", "trial", "repeat", "stimulus", "rating", "a", "b", "x", "answer", "seconds"];

class Store {
  constructor(test) { this.prefix = `tapezoo-listen:${test.id}:`; this.kept = new Map(); }

  // a browser may forbid storage for files; the test goes on, and is lost when the page is closed
  read(listener) {
    try {
      return JSON.parse(localStorage.getItem(this.prefix + listener)) || this.kept.get(listener) || null;
    } catch (error) {
      return this.kept.get(listener) || null;
    }
  }

  write(state) {
    this.kept.set(state.listener, state);
    try { localStorage.setItem(this.prefix + state.listener, JSON.stringify(state)); } catch (error) { this.isLost = true; }
  }

  listeners() {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).map((key) => key.slice(this.prefix.length)).sort();
    } catch (error) {
      return [...this.kept.keys()];
    }
  }
}

function csvCell(value) {
  const text = value === undefined || value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(test, listener, rows) {
  const shared = { test: test.id, version: test.version, kind: test.kind, listener };
  const lines = [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => (name in shared ? shared[name] : row[name])))];
  return lines.map((line) => line.map(csvCell).join(",") + "\r\n").join("");
}
