import { CircleAlert, KeyRound } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { ApiError } from "@/api/client";
import { Logo } from "@/components/logo";
import { explain } from "@/components/states";
import { ThemeToggle } from "@/components/theme-toggle";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/input";
import { Label } from "@/components/ui/label";
import { signIn } from "@/lib/auth";

export function SignInPage({ notice }: { notice: string | null }) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(notice);
  const field = useId();

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await signIn(key);
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  }

  return (
    <main className="grid min-h-dvh grid-rows-[auto_1fr_auto] px-4">
      <div className="flex justify-end pt-3">
        <ThemeToggle />
      </div>
      <div className="flex w-full max-w-sm flex-col justify-center justify-self-center pb-[10vh]">
        <Logo className="mb-5 justify-center text-lg" />
        <Card className="p-6">
          <h1 className="text-base font-semibold">Sign in</h1>
          <p className="mt-1 mb-5 text-[0.8125rem] text-muted-foreground">
            Use one of the gateway’s API keys. It stays in this browser until you sign out.
          </p>
          <form onSubmit={submit} className="space-y-4">
            {/* Password managers want a user name beside a password. */}
            <input
              type="text"
              name="username"
              autoComplete="username"
              value="tideway"
              readOnly
              hidden
            />
            <div className="space-y-1.5">
              <Label htmlFor={field}>API key</Label>
              <Input
                id={field}
                type="password"
                name="password"
                autoComplete="current-password"
                value={key}
                onChange={(change) => setKey(change.target.value)}
                aria-invalid={problem !== null}
                aria-describedby={problem === null ? undefined : `${field}-problem`}
                required
                autoFocus
              />
            </div>
            {problem !== null && (
              <p
                id={`${field}-problem`}
                role="alert"
                className="flex gap-2 text-[0.8125rem] text-destructive"
              >
                <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
                {problem}
              </p>
            )}
            <Button type="submit" className="w-full" disabled={busy}>
              <KeyRound /> {busy ? "Checking…" : "Sign in"}
            </Button>
          </form>
        </Card>
      </div>
    </main>
  );
}

function messageOf(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) return error.message;
  const { title, advice } = explain(error instanceof Error ? error : new Error(String(error)));
  return `${title}. ${advice}`;
}
