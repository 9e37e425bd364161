extension ActionKind {
  /// One row for each kind, in the order of ``allCases``.
  package static let table: [Row] = [
    Row(
      .allow, ["allow", "accept", "pass", "permit"], .none(.allow), .end, example: "allow",
      "The packet goes on its way; no further rule is tried."),
    Row(.deny, ["deny", "drop"], .none(.deny), .end, example: "deny", "The packet is thrown away."),
    Row(
      .count, ["count"], .none(.count), .continue, example: "count",
      "The next rule is tried; only the counters have changed."),
    Row(
      .divert, ["divert"], .divertPort { .divert(port: $0) }, .end, example: "divert 2000",
      """
      The packet is taken out of the kernel and given to the program that has bound this divert port, between 1 and \
      65534, or the name of a service of the protocol divert in /etc/services; natd is 8668. If the program writes it \
      back, the rules behind this one's number are tried. Without a program the packet is dropped.
      """),
    Row(
      .tee, ["tee"], .divertPort { .tee(port: $0) }, .continue, example: "tee 2000",
      "The program gets a copy; for the packet the next rule is tried."),
    Row(
      .skipto, ["skipto"], .ruleNumber { .skipto($0) }, .jump, example: "skipto 500",
      """
      Goes on with the first rule that has this number or a greater one. It never leads backwards: a number that is not \
      greater than the rule's own means the next one.
      """),
  ]
}
