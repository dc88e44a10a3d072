import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hrefOf, type Place, readPlace, timelinePlace } from "../../web/location.ts";

const ID = "0123456789abcdef0123456789abcdef";
const hex = fc.stringMatching(/^[0-9a-f]{32}$/);
const range = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: 1, max: 2 ** 45 }))
  .map(([from, span]) => ({ from, to: from + span }));
const timeline = fc.record({
  page: fc.constant("timeline" as const),
  router: fc.option(fc.string({ minLength: 1 })),
  range: fc.option(range),
  incident: fc.option(hex),
  bar: fc.option(
    fc.record({
      node: fc.constantFrom("lb1", "lb 2&", "10.99.0.13"),
      service: fc.option(fc.constantFrom("[10.99.0.100]:80", "FWM 1@2")),
      source: fc.constantFrom("log", "wire", "check"),
      from: fc.integer({ min: 0, max: 2 ** 50 }),
    }),
  ),
  zone: fc.option(fc.constantFrom("utc", "browser", "Europe/Berlin", "Asia/Shanghai")),
});
const place: fc.Arbitrary<Place> = fc.oneof(
  timeline,
  fc.constant<Place>({ page: "overview" }),
  fc.constant<Place>({ page: "incidents" }),
  fc.constant<Place>({ page: "nodes" }),
  fc
    .record({ cluster: fc.string({ minLength: 1 }), node: fc.string({ minLength: 1 }) })
    .map((whose): Place => ({ page: "node", ...whose })),
  fc
    .record({
      text: fc.option(fc.string({ minLength: 1 })),
      node: fc.option(fc.string({ minLength: 1 })),
      kind: fc.option(fc.constant("vrrp.")),
      severity: fc.option(fc.constant("fatal")),
      from: fc.option(fc.integer({ min: 0, max: 2 ** 50 })),
      to: fc.option(fc.integer({ min: 0, max: 2 ** 50 })),
    })
    .map((query): Place => ({ page: "search", query })),
  hex.map((id): Place => ({ page: "incident", id })),
);
const read = (href: string): Place => {
  const url = new URL(href, "http://page");
  return readPlace(url.pathname, url.search);
};

describe("a link that can be handed on", () => {
  test("shows exactly what was seen, whatever it was", () => {
    fc.assert(
      fc.property(place, (seen) => {
        expect(read(hrefOf(seen))).toEqual(seen);
      }),
    );
  });

  test.each([
    ["?from=5&to=5", "an empty range"],
    ["?from=9&to=5", "a range that runs backwards"],
    ["?from=1&to=99999999999999999999", "an instant beyond exact numbers"],
    ["?from=1&to=9999999999999999", "an instant that is not exact in a double"],
    ["?from=-1&to=5", "a negative instant"],
    ["?from=1e3&to=5000", "an exponent"],
    ["?from=1", "half a range"],
    ["?incident=../../etc", "a path for an incident"],
    ["?zone=Nowhere/Land", "a zone that is none"],
  ])("%s shows the live view: %s", (search) => {
    expect(readPlace("/timeline", search)).toEqual(timelinePlace(null));
    expect(readPlace("/", search)).toEqual({ page: "overview" });
  });

  test.each([
    ["/", "overview"],
    ["/index.html", "overview"],
    ["/nowhere", "overview"],
    ["/incidents/1/2", "overview"],
    ["/incidents", "incidents"],
    ["/incidents/", "incidents"],
    ["/incidents/x';--", "incidents"],
    [`/incidents/${ID}`, "incident"],
    ["/timeline", "timeline"],
  ])("the path %s is the page %s", (path, page) => {
    expect(readPlace(path, "").page).toBe(page);
  });

  test("of an older mail or webhook, to the root, leads to the incident or the timeline", () => {
    expect(read(`/?router=default%2Fipv4%2F51&incident=${ID}`)).toEqual({ page: "incident", id: ID });
    expect(read(`/?router=r&from=1&to=5&incident=${ID}`)).toEqual({
      ...timelinePlace("r"),
      range: { from: 1, to: 5 },
      incident: ID,
    });
    expect(read("/?router=r")).toEqual(timelinePlace("r"));
  });

  test("keeps a router's id with slashes and spaces", () => {
    const seen = timelinePlace("rack 1/ipv4/51&x=1");
    expect(read(hrefOf(seen))).toEqual(seen);
  });
});
