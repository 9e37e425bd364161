extension RuleParser {
  /// The rest of the rule. Answers with the comment behind `//`.
  mutating func options() throws(RuleError) -> String? {
    while var word = words.popFirst() {
      if word.hasPrefix("!") {
        try negate()
        word.removeFirst()
      }
      guard let option = Grammar.options.meaning(of: word) else {
        throw RuleError("unrecognised option [-1] \(word)", .usage)
      }
      switch option {
      case .not:
        try negate()
      case .or:
        guard block.isOpen, block.canJoin, !block.joins, !block.negates else { throw Self.invalidBlock }
        block.joins = true
      case .open:
        guard !block.isOpen else { throw RuleError("+nested \"(\" not allowed", .usage) }
        block = Block(isOpen: true, negates: block.negates)
      case .close:
        guard block.isOpen else { throw RuleError("+missing \")\"", .usage) }
        guard !block.joins else { throw Self.invalidBlock }
        try close()
      case .comment:
        guard !block.isOpen else { throw RuleError("missing \")\"", .usage) }
        try close()
        return try comment()
      case .later:
        throw .later(word)
      case .incoming, .outgoing, .received, .transmitted, .via, .proto, .ip4, .ip6, .source, .destination,
        .source6, .destination6, .sourcePort, .destinationPort, .icmpTypes, .tcpFlags, .setup, .established,
        .fragment, .diverted, .divertedLoopback, .divertedOutput:
        let test = try test(option)
        // an "or" must not lead to, or come from, what asks nothing: the block would mean something else
        guard test != nil || !block.joins else { throw Self.invalidBlock }
        try append(test)
      }
    }
    guard !block.isOpen else { throw RuleError("missing \")\"", .usage) }
    try close()
    return nil
  }

  private static var invalidBlock: RuleError { RuleError("invalid \"or\" block", .usage) }

  private mutating func negate() throws(RuleError) {
    guard !block.negates else { throw RuleError("double \"not\" not allowed", .usage) }
    block.negates = true
  }

  /// A `not` without anything to negate: ipfw takes it in silence.
  private mutating func close() throws(RuleError) {
    guard !block.negates else { throw RuleError("missing argument for not", .usage) }
    block = Block()
  }

  /// nil: no test (`via any`).
  private mutating func test(_ option: OptionWord) throws(RuleError) -> Test? {
    switch option {
    case .incoming: return .direction(.incoming)
    case .outgoing: return .direction(.outgoing)
    case .received: return try interface().map { .received($0) }
    case .transmitted: return try interface().map { .transmitted($0) }
    case .via: return try interface().map { .via($0) }
    case .ip4: return .version(4)
    case .ip6: return .version(6)
    case .proto:
      let word = try need("missing protocol")
      if word == "ip" || matches(word, "all") { return nil }
      guard let number = protocolNumber(word) else {
        throw RuleError("invalid protocol ``\(word)''", .badData)
      }
      proto = .number(number)
      return .protocolNumber(number)
    case .source:
      return try address4(try need("missing source IP")).map { .source($0) }
    case .destination:
      return try address4(try need("missing destination IP")).map { .destination($0) }
    case .source6:
      return try address6Option("missing source IP6").map { .source($0) }
    case .destination6:
      return try address6Option("missing destination IP6").map { .destination($0) }
    case .sourcePort:
      return try portOption("source").map { .sourcePort($0) }
    case .destinationPort:
      return try portOption("destination").map { .destinationPort($0) }
    case .icmpTypes:
      return .icmpTypes(try icmpTypes(try need("icmptypes requires list of types")))
    case .setup: return .tcpFlags(.setup)
    case .established: return .established
    case .diverted: return .diverted(nil)
    case .divertedLoopback: return .diverted(.incoming)
    case .divertedOutput: return .diverted(.outgoing)
    case .tcpFlags:
      return .tcpFlags(try flags(try need("missing argument for tcpflags"), Grammar.tcpFlags))
    case .fragment:
      // bare where no flags follow, for what follows may be the next option
      guard let word = words.first, let match = try? flags(word, Grammar.fragmentFlags) else {
        return .fragment(.laterFragment)
      }
      words.removeFirst()
      return .fragment(match)
    case .not, .or, .open, .close, .comment, .later:
      preconditionFailure("\(option) is no test")
    }
  }

  private mutating func interface() throws(RuleError) -> InterfaceMatch? {
    try interface(try need("recv, xmit, via require interface name or address"))
  }

  private mutating func address6Option(_ missing: String) throws(RuleError) -> AddressMatch? {
    let word = try need(missing)
    switch try address6(word) {
    case .any: return nil
    case .match(let match): return match
    case nil: throw RuleError("unrecognised option [-1] \(word)", .usage)
    }
  }

  private mutating func portOption(_ side: String) throws(RuleError) -> [ClosedRange<UInt16>]? {
    let word = try need("missing \(side) port")
    if matches(word, "any") { return nil }
    guard let ranges = try portRanges(word) else {
      throw RuleError("invalid \(side) port \(word)", .badData)
    }
    return ranges
  }

  /// At most 84 bytes with a blank behind each word, whatever the message says (ipfw2.c, `fill_comment`).
  private mutating func comment() throws(RuleError) -> String {
    let text = words.flatMap { $0.split { $0.isWhitespace } }.joined(separator: " ")
    guard text.utf8.count + 1 <= 84 else { throw RuleError("comment too long (max 80 chars)", .badData) }
    words = []
    return text
  }
}
