// Live numbers by server-sent events, moments in the reader's own time zone, a question before what cannot be undone,
// and files dropped on a form. Every page works without it.
"use strict";

(() => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent;
    const locale = document.documentElement.lang === "fr" ? "fr-FR" : "en-GB";
    time.textContent = new Intl.DateTimeFormat(locale, {
      dateStyle: "medium", timeStyle: "medium",
    }).format(moment);
  }

  for (const form of document.querySelectorAll("form[data-ask]")) {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.ask)) event.preventDefault();
    });
  }

  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      if (event.defaultPrevented) return;
      // Not at once: a disabled button would not be sent with its form.
      setTimeout(() => {
        for (const button of form.querySelectorAll("button")) button.disabled = true;
      }, 0);
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  for (const drop of document.querySelectorAll("[data-drop]")) {
    const input = drop.querySelector("input[type=file]");
    for (const name of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", name === "dragover");
        if (name === "drop" && event.dataTransfer.files.length) input.files = event.dataTransfer.files;
      });
    }
  }

  const live = document.querySelector("[data-events]");
  if (!live || !window.EventSource) return;
  const shown = new Map();
  const source = new EventSource(live.dataset.events);
  source.addEventListener("numbers", (event) => {
    const numbers = JSON.parse(event.data);
    for (const [name, value] of Object.entries(numbers)) {
      for (const place of document.querySelectorAll(`[data-live="${CSS.escape(name)}"]`)) {
        place.textContent = String(value);
        if (place.classList.contains("badge")) place.hidden = !value;
      }
      if (shown.has(name) && shown.get(name) !== value) {
        const note = document.querySelector("[data-changed]");
        if (note) note.hidden = false;
      }
      shown.set(name, value);
    }
  });
})();
