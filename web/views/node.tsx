import { useMemo, useRef } from "preact/hooks";
import type { ConfigComparison, ConfigFile, ConfigFinding, NodeConfig, NodeSummary } from "../../server/api/types.ts";
import { api } from "../api.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration } from "../time.ts";
import { NodeList } from "./nodes.tsx";
import { Link, useAsked, useScene } from "./shared.tsx";

/** Lines of the election that are shown: of more failures at a time there are ever more. */
const ELECTION_MAX = 64;

export function NodesPage() {
  const { nodes, zone, now } = useScene();
  const { overview, nodes: text } = words();
  return (
    <section class="card" aria-labelledby="nodes-title">
      <h2 id="nodes-title">{overview.nodes}</h2>
      <NodeList />
      {nodes.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={text.collectors}>
          <table>
            <caption>{text.collectors}</caption>
            <thead>
              <tr>
                {text.columns.map((column) => (
                  <th key={column} scope="col">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {nodes.map((node) => (
                <tr key={`${node.cluster}/${node.node}`}>
                  <th scope="row">
                    <Link to={{ page: "node", cluster: node.cluster, node: node.node }}>{node.node}</Link>
                  </th>
                  <td>{node.cluster}</td>
                  <td>{node.version ?? text.notTold}</td>
                  <td>{node.startedTs === null ? text.notTold : formatDateTime(node.startedTs, zone)}</td>
                  <td>{text.ago(formatDuration(Math.max(0, now - node.lastSeenTs)))}</td>
                  <td>{node.timeZone ?? text.notTold}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** What keepalived reads on a node, how it comes to read it, and how that fits the other nodes. */
export function NodePage({ cluster, node, news }: { readonly news: number } & Pick<NodeSummary, "cluster" | "node">) {
  const { zone, routers, now } = useScene();
  const { shell, nodes: text } = words();
  const { value, trouble } = useAsked(() => api.config(cluster, node), [cluster, node, news]);
  const config = useSettled(value);
  // Of many nodes this is much to ask: not with each piece of news.
  const minute = Math.floor(now / 60_000_000);
  const own = (routers ?? []).filter(
    (router) => router.cluster === cluster && router.instances.some((instance) => instance.node === node),
  );
  return (
    <div class="column">
      <section class="card" aria-labelledby="node-title">
        <h2 id="node-title">{text.configOf(node)}</h2>
        <p>
          <Link to={{ page: "nodes" }}>{text.all}</Link>
        </p>
        {trouble && (
          <p class="trouble" role="alert">
            {trouble}
          </p>
        )}
        {!config && !trouble && <p role="status">{shell.asking}</p>}
        {config && config.ts === null && <p class="muted">{text.noConfig}</p>}
        {config?.ts && <p class="muted">{text.seen(formatDateTime(config.ts, zone))}</p>}
        {config?.unreadable && (
          <p class="trouble">{text.unreadable(config.unreadable.path, config.unreadable.message)}</p>
        )}
        {config && config.ts !== null && <Chain config={config} />}
      </section>
      {config && config.ts !== null && <Files config={config} />}
      {own.map(({ id, vips }) => (
        <Comparison
          key={id}
          router={id}
          name={`${id}${vips.length > 0 ? ` (${vips.join(", ")})` : ""}`}
          news={minute}
        />
      ))}
    </div>
  );
}

/** The same one as long as it says the same: thousands of lines are not laid out anew with each piece of news. */
function useSettled(value: NodeConfig | null): NodeConfig | null {
  const kept = useRef({ text: "", value });
  if (value === null || value === kept.current.value) return kept.current.value;
  const text = JSON.stringify(value);
  if (text !== kept.current.text) kept.current = { text, value };
  return kept.current.value;
}

/** From what starts keepalived to where its log goes, top down; below the configuration each file that is read. */
function Chain({ config: { chain, files } }: { readonly config: NodeConfig }) {
  const { nodes: text } = words();
  if (!chain) return <p class="muted">{text.noChain}</p>;
  return (
    <>
      <h3>{text.chain(chain.release)}</h3>
      <ol class="chain">
        {chain.steps.map((step, i) => (
          <li key={i} data-step={step.step}>
            <span class="muted">{text.steps[step.step]}</span> <code>{step.text}</code>
            {step.file !== undefined && (
              <span class="muted">
                {" "}
                {step.file}:{step.line}
              </span>
            )}
            {step.step === "configuration" && files.length > 0 && (
              <ol>
                {files.map(({ path }, n) => (
                  <li key={path}>
                    <a href={`#file-${n}`}>{path}</a>
                  </li>
                ))}
              </ol>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}

function Files({ config }: { readonly config: NodeConfig }) {
  const { nodes: text } = words();
  const order = config.files.map(({ path }) => path);
  const elsewhere = config.findings.filter(({ file }) => file === null || !order.includes(file));
  const placeOf = ({ file, line }: ConfigFinding): number => order.indexOf(file ?? "") * 1e9 + (line ?? 1);
  const within = config.findings
    .filter(({ file }) => file !== null && order.includes(file))
    .sort((a, b) => placeOf(a) - placeOf(b));
  return (
    <section class="card" aria-labelledby="files-title">
      <h2 id="files-title">{text.files}</h2>
      <p>{text.findings(config.findings.length, config.areAllFindings)}</p>
      {elsewhere.map((finding, i) => (
        <Finding key={i} finding={finding} />
      ))}
      {within.length > 0 && (
        <ul class="found" aria-label={text.found}>
          {within.map(({ code, severity, file, line }, i) => (
            <li key={i}>
              <Severity severity={severity} /> {code}{" "}
              <a href={`#${lineId(order.indexOf(file ?? ""), line ?? 1)}`}>
                {file}:{line ?? 1}
              </a>
            </li>
          ))}
        </ul>
      )}
      {config.files.map((file, i) => (
        <File key={file.path} file={file} index={i} findings={config.findings} />
      ))}
    </section>
  );
}

const lineId = (file: number, line: number): string => `file-${file}-line-${line}`;

interface FileProps {
  readonly file: ConfigFile;
  readonly index: number;
  readonly findings: readonly ConfigFinding[];
}

function File({ file, index, findings }: FileProps) {
  const { zone } = useScene();
  const { nodes: text } = words();
  const own = findings.filter((finding) => finding.file === file.path);
  return (
    <section aria-labelledby={`file-${index}`}>
      <h3 id={`file-${index}`}>{file.path}</h3>
      {file.changedTs !== null && <p class="muted">{text.written(formatDateTime(file.changedTs, zone))}</p>}
      {file.text === null ? (
        <>
          <p class="muted">{text.noText}</p>
          {own.map((finding, i) => (
            <Finding key={i} finding={finding} />
          ))}
        </>
      ) : (
        <Lines file={file} index={index} findings={findings} />
      )}
      {file.truncated && <p class="muted">{text.truncated}</p>}
    </section>
  );
}

/** The lines of a file, each finding under the line it is about. */
function Lines({ file, index, findings }: FileProps) {
  return useMemo(() => {
    const byLine = new Map<number, ConfigFinding[]>();
    for (const finding of findings) {
      const line = finding.line ?? 1;
      const known = byLine.get(line);
      if (finding.file !== file.path) continue;
      if (known) known.push(finding);
      else byLine.set(line, [finding]);
    }
    const lines = (file.text ?? "").replace(/\n$/, "").split("\n");
    return (
      <div class="code" tabIndex={0} role="region" aria-label={file.path}>
        <div class="code-lines">
          {lines.map((line, i) => {
            const found = byLine.get(i + 1);
            return (
              <div key={i} class="code-line" id={found && lineId(index, i + 1)}>
                <span class="line-number" aria-hidden="true">
                  {i + 1}
                </span>
                <code>{line}</code>
                {found?.map((finding, n) => (
                  <Finding key={n} finding={finding} />
                ))}
              </div>
            );
          })}
        </div>
      </div>
    );
  }, [file, index, findings]);
}

function Severity({ severity }: Pick<ConfigFinding, "severity">) {
  const tone = severity === "hint" ? "unknown" : severity === "degraded" ? "suspected" : "bad";
  return <span class={`state ${tone}`}>{severity}</span>;
}

function Finding({ finding: { code, severity, message, fix, line } }: { readonly finding: ConfigFinding }) {
  return (
    <div class="finding" data-code={code} data-line={line}>
      <Severity severity={severity} /> <strong>{code}</strong> {message}
      {fix !== null && <div class="muted">{fix}</div>}
    </div>
  );
}

/** The settings of each node beside the others', and who is master when what fails. */
function Comparison({ router, name, news }: { readonly router: string; readonly name: string; readonly news: number }) {
  const { nodes: text } = words();
  const { value, trouble } = useAsked(() => api.comparison(router), [router, news]);
  return (
    <section class="card" aria-label={text.compared(name)} data-router={router}>
      <h2>{text.compared(name)}</h2>
      {trouble && (
        <p class="trouble" role="alert">
          {trouble}
        </p>
      )}
      {value && value.untold.length > 0 && <p class="muted">{text.untold(value.untold.join(", "))}</p>}
      {value && value.members.length > 0 && (
        <>
          <Drift comparison={value} />
          <Election comparison={value} />
        </>
      )}
    </section>
  );
}

function Drift({ comparison: { members, settings, findings } }: { readonly comparison: ConfigComparison }) {
  const { nodes: text } = words();
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={text.sideBySide}>
        <table class="drift">
          <caption>{text.sideBySide}</caption>
          <thead>
            <tr>
              <th scope="col">{text.setting}</th>
              {members.map(({ node, instance }) => (
                <th key={node} scope="col">
                  {node} <span class="muted">{instance}</span>
                </th>
              ))}
              <th scope="col">{text.verdict}</th>
            </tr>
          </thead>
          <tbody>
            {settings.map(({ name, values, rule, holds }) => (
              <tr key={name} data-holds={holds}>
                <th scope="row">{name}</th>
                {values.map((value, i) => (
                  <td key={members[i]?.node}>{value ?? text.notTold}</td>
                ))}
                <td>
                  {holds ? (
                    rule !== "free" && members.length > 1 && <span class="muted">{text.fits}</span>
                  ) : (
                    <span class="state suspected">{text.rules[rule]}</span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ul>
        {findings.map(({ code, message }) => (
          <li key={code + message}>
            <strong>{code}</strong> {message}
          </li>
        ))}
      </ul>
    </>
  );
}

function Election({ comparison: { members, election } }: { readonly comparison: ConfigComparison }) {
  const { nodes: text } = words();
  if (!election) return <p class="muted">{text.noElection}</p>;
  const shown = election.lines.slice(0, ELECTION_MAX);
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={text.election}>
        <table class="election">
          <caption>{text.election}</caption>
          <thead>
            <tr>
              <th scope="col">{text.fails}</th>
              <th scope="col">{text.isMaster}</th>
              {members.map(({ node }) => (
                <th key={node} scope="col">
                  {text.priorityOf(node)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(({ failed, master, undecided, priorities }) => (
              <tr key={failed.join("\n")}>
                <th scope="row">{failed.length === 0 ? text.nothing : failed.join(", ")}</th>
                <td>
                  {undecided.length > 0 ? (
                    <span class="state suspected">{undecided.join(" / ")}</span>
                  ) : (
                    (master ?? (
                      <span class={failed.length < members.length ? "state bad" : "muted"}>{text.nobody}</span>
                    ))
                  )}
                </td>
                {priorities.map((priority, i) => (
                  <td key={members[i]?.node}>{priority ?? "–"}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">{text.tried(shown.length, election.tried, election.complete, election.failuresMax)}</p>
      <ul>
        {election.findings.map(({ code, message }) => (
          <li key={code + message}>
            <strong>{code}</strong> {message}
          </li>
        ))}
      </ul>
    </>
  );
}
