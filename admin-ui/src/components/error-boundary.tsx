import { CircleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { EmptyState } from "./states";
import { Button } from "./ui/button";
import { Card } from "./ui/card";

interface State {
  error: Error | null;
}

/** Catches what a view throws, and the parts of an older UI that a newer gateway no longer serves. */
export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Card role="alert">
        <EmptyState
          icon={CircleAlert}
          title="This view cannot be shown"
          action={
            <Button variant="outline" size="sm" onClick={() => location.reload()}>
              Reload
            </Button>
          }
        >
          The gateway may have been updated since this page was opened. {error.message}
        </EmptyState>
      </Card>
    );
  }
}
