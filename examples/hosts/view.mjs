// What the pages here have in common whose Python runs elsewhere: the status, and a form that plays a script.
const status = document.querySelector("#status");
const form = document.querySelector("form");

export function showStatus(words) {
  status.textContent = status.dataset.status = words;
}

/** Call `play(script)`, which returns a promise, when the form is sent, and show what becomes of it. */
export function onSubmit(play) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.querySelector("output");
    output.textContent = "…";
    try {
      output.textContent = await play(form.elements.script.value);
    } catch (error) {
      output.textContent = `${error.name}: ${error.message}`;
    }
  });
  form.querySelector("button").disabled = false;
}
