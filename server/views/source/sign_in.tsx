/** The way into a gallery that asks for a token: the same one that clients send. */
import { useEffect, useRef, useState } from "preact/hooks";
import { g } from "./gallery_words";
import { signIn } from "./library";

const WRONG_TOKEN = 401;
const UNDECIDED = 503;

export function SignIn({ enter }: { enter: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => field.current!.focus(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    const { status, text } = await signIn(field.current!.value);
    if (!text) return enter();
    setBusy(false);
    setError(status === WRONG_TOKEN ? g("wrongToken") : status === UNDECIDED ? g("undecided") : text);
    field.current!.select();
  };
  return (
    <main class="door">
      <form onSubmit={submit}>
        <h1>Atelier</h1>
        <label>
          {g("token")}
          <input ref={field} type="password" class="words" name="token" autocomplete="current-password" required aria-invalid={!!error} aria-describedby="token-help token-error" />
        </label>
        <p id="token-help" class="soft">{g("tokenHelp")}</p>
        <p id="token-error" class="status bad" role="alert">{error}</p>
        <button type="submit" class="main" disabled={isBusy}>{g("signIn")}</button>
      </form>
    </main>
  );
}
