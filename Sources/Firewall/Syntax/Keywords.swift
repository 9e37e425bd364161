/// The words of one place in the grammar: what the parser accepts is what the printer writes.
/// Several words may mean the same; the first one listed for a meaning is the one printed.
package struct Keywords<Meaning: Hashable & Sendable>: Sendable {
  package let entries: [(word: String, meaning: Meaning)]
  private let meanings: [String: Meaning]

  package init(_ entries: [(word: String, meaning: Meaning)]) {
    self.entries = entries
    meanings = Dictionary(entries.map { ($0.word, $0.meaning) }) { first, _ in first }
  }

  package func meaning(of word: some StringProtocol) -> Meaning? { meanings[String(word)] }

  /// - Precondition: The table has a word for it; a test goes through them all.
  package func word(for meaning: Meaning) -> String {
    for entry in entries where entry.meaning == meaning { return entry.word }
    preconditionFailure("no word for \(meaning)")
  }
}

/// ipfw(8), RULE ACTIONS.
package enum ActionWord: Hashable, Sendable {
  case allow, deny, count, divert, tee, skipto, comment
  /// In ipfw's language, but not yet in ours.
  case later
}

/// What stands around the action.
package enum ModifierWord: Hashable, Sendable {
  case set, probability, log, logAmount
  /// In ipfw's language, but not yet in ours.
  case later
}

/// ipfw(8), RULE OPTIONS, and the words that combine them.
package enum OptionWord: Hashable, Sendable {
  case not, or, open, close, comment
  case incoming, outgoing, received, transmitted, via
  case proto, ip4, ip6
  case source, destination, source6, destination6, sourcePort, destinationPort
  case icmpTypes, tcpFlags, setup, established, fragment
  case diverted, divertedLoopback, divertedOutput
  /// In ipfw's language, but not yet in ours.
  case later
}

/// Every word of the rule language. To add one: a row here, a case in its parser and printer, a ``Test``.
package enum Grammar {
  /// Between `add` and the action.
  package static let prefixes = Keywords<ModifierWord>([("set", .set), ("prob", .probability)])

  package static let actions = Keywords<ActionWord>([
    ("allow", .allow), ("accept", .allow), ("pass", .allow), ("permit", .allow),
    ("deny", .deny), ("drop", .deny),
    ("count", .count), ("divert", .divert), ("tee", .tee), ("skipto", .skipto),
    ("//", .comment),
    ("reject", .later), ("unreach", .later), ("unreach6", .later), ("reset", .later), ("reset6", .later),
    ("abort", .later), ("abort6", .later), ("call", .later), ("return", .later),
    ("fwd", .later), ("forward", .later), ("check-state", .later), ("setfib", .later), ("setdscp", .later),
    ("setmark", .later), ("reass", .later), ("pipe", .later), ("queue", .later), ("nat", .later),
    ("netgraph", .later), ("ngtee", .later), ("tcp-setmss", .later), ("eaction", .later),
    ("nat64lsn", .later),
    ("nat64stl", .later), ("nat64clat", .later), ("nptv6", .later), ("skip-action", .later),
  ])

  /// Between the action and the body.
  package static let modifiers = Keywords<ModifierWord>([
    ("log", .log), ("altq", .later), ("tag", .later), ("untag", .later),
  ])

  /// Behind `log`.
  package static let logOptions = Keywords<ModifierWord>([("logamount", .logAmount)])

  package static let options = Keywords<OptionWord>([
    ("not", .not), ("or", .or), ("|", .or), ("{", .open), ("(", .open), ("}", .close), (")", .close),
    ("//", .comment),
    ("in", .incoming), ("out", .outgoing), ("recv", .received), ("xmit", .transmitted), ("via", .via),
    ("proto", .proto), ("ip4", .ip4), ("ipv4", .ip4), ("ip6", .ip6), ("ipv6", .ip6),
    ("src-ip", .source), ("dst-ip", .destination),
    ("src-ip6", .source6), ("src-ipv6", .source6), ("dst-ip6", .destination6), ("dst-ipv6", .destination6),
    ("src-port", .sourcePort), ("dst-port", .destinationPort),
    ("icmptypes", .icmpTypes), ("icmptype", .icmpTypes),
    ("tcpflags", .tcpFlags), ("tcpflgs", .tcpFlags), ("setup", .setup), ("tcpsetup", .setup),
    ("established", .established), ("estab", .established),
    ("frag", .fragment), ("frags", .fragment), ("fragment", .fragment),
    ("diverted", .diverted), ("diverted-loopback", .divertedLoopback), ("diverted-output", .divertedOutput),
    ("antispoof", .later), ("bridged", .later), ("defer-action", .later), ("defer-immediate-action", .later),
    ("dscp", .later),
    ("ext6hdr", .later), ("fib", .later), ("flow", .later),
    ("flow-id", .later), ("gid", .later),
    ("icmp6type", .later), ("icmp6types", .later), ("ipid", .later), ("iplen", .later), ("ipoptions", .later),
    ("ipopts", .later), ("ipprecedence", .later), ("precedence", .later), ("ipsec", .later),
    ("iptos", .later),
    ("ipttl", .later), ("ipver", .later), ("ipversion", .later), ("jail", .later), ("keep-state", .later),
    ("layer2", .later), ("limit", .later), ("lookup", .later), ("mac", .later), ("MAC", .later),
    ("mac-type", .later), ("mark", .later), ("record-state", .later), ("set-limit", .later),
    ("sockarg", .later), ("tagged", .later), ("tcpack", .later), ("tcpdatalen", .later),
    ("tcpmss", .later), ("tcpoptions", .later), ("tcpopts", .later), ("tcpseq", .later),
    ("tcpwin", .later), ("uid", .later), ("verrevpath", .later),
    ("versrcreach", .later),
  ])

  /// `tcpflags`, in the order of listing (RFC 9293 §3.1 has the bits).
  package static let tcpFlags = Keywords<UInt8>([
    ("syn", 0x02), ("fin", 0x01), ("ack", 0x10), ("psh", 0x08), ("rst", 0x04), ("urg", 0x20),
  ])

  /// `frag`, as bits of ``PacketFields/fragmentBits``.
  package static let fragmentFlags = Keywords<UInt8>([
    ("rf", 0x80), ("df", 0x40), ("mf", 0x20), ("offset", 0x01),
  ])
}

extension RuleError {
  /// A word of ipfw's language that this program does not know yet: refused, never taken for something else.
  static func later(_ word: some StringProtocol) -> RuleError {
    RuleError("not supported yet: \(word)", .unavailable)
  }
}
