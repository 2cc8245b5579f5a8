import { Compass } from "lucide-react";
import { ViewHeader } from "@/components/app-shell";
import { EmptyState } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Link } from "@/lib/router";

export function NotFoundPage() {
  return (
    <>
      <ViewHeader title="Not found" />
      <Card>
        <EmptyState
          icon={Compass}
          title="There is nothing at this address"
          action={
            <Button asChild variant="outline" size="sm">
              <Link to="/overview">Go to the overview</Link>
            </Button>
          }
        >
          The tabs above lead to everything that the admin UI has.
        </EmptyState>
      </Card>
    </>
  );
}
