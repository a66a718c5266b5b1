// Saving, and making all masks.
import { get, post, tell } from "./wire.js";

const [save, apply, stop, run, told] = ["save", "apply", "stop", "run", "run-told"].map((id) => document.getElementById(id));

export function offerRuns(form, start, recipe, saved) {
  save.disabled = !start.writable;
  if (!start.writable) save.title = "this recipe comes with spotlabel: copy the lines into one of your own";

  save.addEventListener("click", async () => {
    try {
      const answer = await post("save", { settings: form.settings, recipe: recipe() });
      told.textContent = `Saved to ${answer.recipe}.`;
      saved(answer.settings);
    } catch (error) {
      if (error.changed) tell(error.message, "Compare", async () => saved((await get("start")).settings));
      else tell(error.message);
    }
  });

  apply.addEventListener("click", async () => {
    try {
      await post("apply", { settings: form.settings });
      follow();
    } catch (error) {
      tell(error.message);
    }
  });

  stop.addEventListener("click", async () => {
    stop.disabled = true;
    await post("stop", {}).catch((error) => tell(error.message));
  });

  async function follow() {
    let now;
    try {
      now = await get("progress");
    } catch (error) {
      tell(error.message);
      return;
    }
    apply.hidden = now.running;
    stop.hidden = run.hidden = !now.running;
    if (now.running) {
      run.value = now.share;
      told.textContent = `Masks: ${Math.round(100 * now.share)}%`;
      setTimeout(follow, 250);
      return;
    }
    stop.disabled = false;
    const ends = { done: `Done: masks of ${now.made} of ${start.videos.length} videos made, the others were so already.`,
      "broken off": "Broken off: finished videos are kept.", failed: `Failed: ${now.failed.join("; ")}` };
    if (now.end) told.textContent = ends[now.end];
  }

  follow(); // a run of another page, or of before this one was opened
}
