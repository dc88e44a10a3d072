import { useScene } from "./shared.tsx";
import { IncidentEvidence } from "./evidence.tsx";

/** All about one incident. */
export function IncidentPage({ id }: { readonly id: string }) {
  const { incidents, routers, zone } = useScene();
  const listed = incidents.find((incident) => incident.id === id);
  const router = routers?.find((candidate) => candidate.id === listed?.subject.router) ?? null;
  return (
    <article class="card incident">
      <IncidentEvidence id={id} listed={listed} router={router} zone={zone} />
    </article>
  );
}
