// One event stream for all tabs of a browser. HTTP/1.1 allows a browser six connections to a server: with one
// stream a tab, the seventh tab would wait for ever. Runs as a SharedWorker, or as a tab's own Worker where a
// browser has no shared ones. Tabs send "follow" and "leave"; they are sent {kind: "open" | "down" | "lagged" |
// "live" | "change", data}.
"use strict";

const EVENTS = "/api/v1/events";
const tabs = new Set();
let source = null;
let retry = null;

function tell(message) {
  for (const tab of tabs) tab.postMessage(message);
}

function open() {
  clearTimeout(retry);
  if (source || tabs.size === 0) return;
  source = new EventSource(EVENTS);
  source.onopen = () => tell({ kind: "open" });
  source.onerror = () => {
    tell({ kind: "down" });
    // A browser gives up where the server answers with an error; the server may come back.
    if (source.readyState === EventSource.CLOSED) {
      source = null;
      retry = setTimeout(open, 3000);
    }
  };
  source.addEventListener("live", (event) => tell({ kind: "live", data: event.data }));
  source.addEventListener("change", (event) => tell({ kind: "change", data: event.data }));
  source.addEventListener("lagged", () => tell({ kind: "lagged" }));
}

function listen(tab) {
  tab.onmessage = ({ data }) => {
    if (data === "follow") {
      tabs.add(tab);
      open();
      if (source && source.readyState === EventSource.OPEN) tab.postMessage({ kind: "open" });
    } else {
      tabs.delete(tab);
      if (tabs.size === 0 && source) {
        source.close();
        source = null;
      }
    }
  };
}

if (typeof SharedWorkerGlobalScope === "undefined") {
  listen(self);
} else {
  self.onconnect = (event) => listen(event.ports[0]);
}
