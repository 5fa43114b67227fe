// Files of any name are taken for videos, and what the page does while it works: cancel, messages, where the keyboard goes.
(() => {
  const one = (selector) => document.querySelector(selector);
  let exampled = false; // whether an example was pressed whose answer is still to come

  // Gradio announces a clip that the browser cannot play as an error; a preview or a message beside the clip follows.
  function hush() {
    for (const toast of document.querySelectorAll(".toast-body")) {
      if (toast.textContent.includes("Video not playable")) toast.querySelector("button.toast-close, .toast-close")?.click();
    }
  }

  // What a file is, its content decides, on the server: a browser knows neither .MTS nor names without a suffix, and
  // Gradio would refuse them by its guess.

  const looksLikeVideo = (file) => file.type.startsWith("video/");
  const asVideo = (file) => (looksLikeVideo(file) ? file : new File([file], file.name, { type: "video/mp4" }));

  function giveAsVideo(input, files) {
    const all = new DataTransfer();
    for (const file of files) all.items.add(asVideo(file));
    input.files = all.files;
  }

  function change(event) {
    if (event.target.matches?.("#clip input[type=file]") && ![...event.target.files].every(looksLikeVideo)) {
      giveAsVideo(event.target, event.target.files);
    }
  }

  function drop(event) {
    const files = [...(event.dataTransfer?.files ?? [])].slice(0, 1);
    const input = one("#clip input[type=file]");
    if (!input || !files.length || !event.target.closest?.("#clip") || files.every(looksLikeVideo)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    giveAsVideo(input, files);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function offerAllFiles() {
    const input = one("#clip input[type=file][accept]");
    input?.removeAttribute("accept");
  }

  // After an example the keyboard goes on from its answer.

  function reachAnswer() {
    const answer = one("#message [role]");
    if (!exampled || !answer || one("#progress .working")) return;
    exampled = false;
    answer.focus({ preventScroll: true });
    answer.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  // A cancel takes until the frames at hand are encoded; meanwhile the page says so.
  function settle() {
    if (!one("#progress .working")) document.documentElement.classList.remove("stopping");
  }

  const look = () => (hush(), settle(), offerAllFiles(), reachAnswer());
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#examples button")) exampled = true;
    if (event.target.closest?.("#cancel")) document.documentElement.classList.add("stopping");
  });
  document.addEventListener("change", change, true);
  document.addEventListener("drop", drop, true);
})();
