import { words } from "../text/language.ts";
import { held } from "../token.ts";

/** Asks for the token that the server has asked for: it is held for this page alone, and sent with what is asked next. */
export function TokenField() {
  return (
    <label>
      {words().silences.token}{" "}
      <input
        type="password"
        autocomplete="off"
        value={held.token}
        onInput={(event) => (held.token = event.currentTarget.value.trim())}
      />
    </label>
  );
}
