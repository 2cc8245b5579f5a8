import { CircleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { EmptyState } from "./states";
import { Button } from "./ui/button";
import { Card } from "./ui/card";

interface State {
  error: Error | null;
}

/** Catches what a part of the page throws, so that the other parts stay. */
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
          title="This part cannot be shown"
          action={
            <Button variant="outline" size="sm" onClick={() => this.setState({ error: null })}>
              Try again
            </Button>
          }
        >
          {error.message}. Reload the page if this does not help: the gateway may have been updated
          since it was opened.
        </EmptyState>
      </Card>
    );
  }
}
