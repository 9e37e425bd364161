/// `PROTO from ADDRESS [PORTS] to ADDRESS [PORTS]`.
extension RuleParser {
  private enum Place { case proto, source, destination }

  /// False: the body does not begin with a protocol, and so has only options.
  mutating func fromTo() throws(RuleError) -> Bool {
    guard try members(of: .proto) else { return false }
    try keyword("from")
    _ = try members(of: .source)
    try ports { .sourcePort($0) }
    guard !block.negates else { throw RuleError("missing ``to''", .usage) }
    try keyword("to")
    _ = try members(of: .destination)
    try ports { .destinationPort($0) }
    return true
  }

  private mutating func keyword(_ keyword: String) throws(RuleError) {
    guard let word = words.first, matches(word, keyword) else {
      throw RuleError("missing ``\(keyword)''", .usage)
    }
    words.removeFirst()
  }

  /// `[not] x`, or a block of them. The opening brace may stick to the first word.
  private mutating func members(of place: Place) throws(RuleError) -> Bool {
    if let word = words.first, let first = word.first, first == "{" || first == "(" {
      if word.utf8.count > 1 { words[words.startIndex].removeFirst() } else { words.removeFirst() }
      block = Block(isOpen: true, negates: block.negates)
    }
    block.canJoin = false
    repeat {
      try takeNot()
      guard try member(of: place) else { return false }
    } while try takeOr()
    if block.isOpen {
      guard let word = words.first, word == "}" || word == ")" else {
        throw RuleError("missing \")\"", .usage)
      }
      words.removeFirst()
    }
    block = Block(negates: block.negates)
    return true
  }

  private mutating func member(of place: Place) throws(RuleError) -> Bool {
    let missing =
      switch place {
      case .proto: "missing protocol"
      case .source: "missing source address"
      case .destination: "missing dst address"
      }
    guard let word = words.first else { throw RuleError(missing, .usage) }
    switch place {
    case .proto:
      guard let found = protocolWord(word) else {
        guard !block.joins else { throw RuleError("invalid protocol ``\(word)''", .badData) }
        return false
      }
      proto = found
      words.removeFirst()
      try append(found.test)
    case .source:
      words.removeFirst()
      try append(try address(word).map { .source($0) })
    case .destination:
      words.removeFirst()
      try append(try address(word).map { .destination($0) })
    }
    return true
  }

  private mutating func takeNot() throws(RuleError) {
    guard let word = words.first, matches(word, "not") else { return }
    guard !block.negates else { throw RuleError("double \"not\" not allowed", .usage) }
    words.removeFirst()
    block.negates = true
  }

  private mutating func takeOr() throws(RuleError) -> Bool {
    guard let word = words.first, matches(word, "or") else { return false }
    guard block.isOpen, block.canJoin else { throw RuleError("invalid OR block", .badData) }
    words.removeFirst()
    block.joins = true
    return true
  }

  /// What is no port is left for what comes next, and a `not` before it, too.
  private mutating func ports(_ test: ([ClosedRange<UInt16>]) -> Test) throws(RuleError) {
    try takeNot()
    guard let word = words.first else { return }
    if matches(word, "any") {
      try append(nil)
    } else if let ranges = try portRanges(word) {
      try append(test(ranges))
    } else {
      return
    }
    words.removeFirst()
    block.canJoin = false
  }
}

extension RuleParser.Proto {
  /// nil: any.
  var test: Test? {
    switch self {
    case .any: nil
    case .ip4: .version(4)
    case .ip6: .version(6)
    case .number(let number): .protocolNumber(number)
    }
  }
}
