/// The words of one place in the grammar: what the parser accepts is what the printer writes.
/// Several words may mean the same; the first one listed for a meaning is the one printed.
package struct Keywords<Meaning: Hashable & Sendable>: Sendable {
  package let entries: [(word: String, meaning: Meaning)]
  private let meanings: [String: Meaning]

  package init(_ entries: [(word: String, meaning: Meaning)]) {
    self.entries = entries
    meanings = Dictionary(entries.map { ($0.word, $0.meaning) }) { first, _ in first }
  }

  package func meaning(of word: String) -> Meaning? { meanings[word] }

  /// - Precondition: The table has a word for it; a test goes through them all.
  package func word(for meaning: Meaning) -> String {
    for entry in entries where entry.meaning == meaning { return entry.word }
    preconditionFailure("no word for \(meaning)")
  }
}

/// Where an action may stand.
package enum ActionWord: Hashable, Sendable {
  case action(ActionKind)
  case comment
  /// In ipfw's language, but not yet in ours.
  case later
}

/// What stands around the action.
package enum ModifierWord: Hashable, Sendable {
  case set, probability, log, logAmount
  /// In ipfw's language, but not yet in ours.
  case later
}

/// Where an option may stand.
package enum OptionWord: Hashable, Sendable {
  case option(RuleOption)
  case not, or, open, close, comment
  /// In ipfw's language, but not yet in ours.
  case later
}

/// Every word of the rule language; those of actions and options are in their tables.
package enum Grammar {
  /// Between `add` and the action.
  package static let prefixes = Keywords<ModifierWord>([("set", .set), ("prob", .probability)])

  package static let actions = Keywords<ActionWord>(
    ActionKind.table.flatMap { row in row.words.map { ($0, .action(row.kind)) } } + [("//", .comment)]
      + laterActions.map { ($0, .later) })

  /// Between the action and the body.
  package static let modifiers = Keywords<ModifierWord>([
    ("log", .log), ("altq", .later), ("tag", .later), ("untag", .later),
  ])

  /// Behind `log`.
  package static let logOptions = Keywords<ModifierWord>([("logamount", .logAmount)])

  package static let options = Keywords<OptionWord>(
    [
      ("not", .not), ("or", .or), ("|", .or), ("{", .open), ("(", .open), ("}", .close), (")", .close),
      ("//", .comment),
    ] + RuleOption.table.flatMap { row in row.words.map { ($0, .option(row.option)) } }
      + laterOptions.map { ($0, .later) })

  /// Actions of ipfw's language that are refused as not supported yet.
  private static let laterActions = [
    "reject", "unreach", "unreach6", "reset", "reset6", "abort", "abort6",
    "call", "return", "fwd", "forward", "check-state", "setfib", "setdscp",
    "setmark", "reass", "pipe", "queue", "nat", "netgraph", "ngtee",
    "tcp-setmss", "eaction", "nat64lsn", "nat64stl", "nat64clat", "nptv6", "skip-action",
  ]

  /// Options of ipfw's language that are refused as not supported yet.
  private static let laterOptions = [
    "antispoof", "bridged", "defer-action", "defer-immediate-action", "dscp", "ext6hdr", "fib",
    "flow", "flow-id", "gid", "icmp6type", "icmp6types", "ipid", "iplen",
    "ipoptions", "ipopts", "ipprecedence", "precedence", "ipsec", "iptos", "ipttl",
    "ipver", "ipversion", "jail", "keep-state", "layer2", "limit", "lookup",
    "mac", "MAC", "mac-type", "mark", "record-state", "set-limit", "sockarg",
    "tagged", "tcpack", "tcpdatalen", "tcpmss", "tcpoptions", "tcpopts", "tcpseq",
    "tcpwin", "uid", "verrevpath", "versrcreach",
  ]
}

extension RuleError {
  /// A word of ipfw's language that this program does not know yet: refused, never taken for something else.
  static func later(_ word: some StringProtocol) -> RuleError {
    RuleError("not supported yet: \(word)", .unavailable)
  }
}
