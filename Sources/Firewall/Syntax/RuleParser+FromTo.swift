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
    guard let word = peek(), matches(word, keyword) else {
      throw RuleError("missing ``\(keyword)''", .usage)
    }
    position += 1
  }

  /// `[not] x`, or a block of them. The opening brace may stick to the first word.
  private mutating func members(of place: Place) throws(RuleError) -> Bool {
    if let word = peek(), word.hasPrefix("{") || word.hasPrefix("(") {
      if word.utf8.count > 1 { words[position].removeFirst() } else { position += 1 }
      block = Block(isOpen: true, negates: block.negates)
    }
    block.canJoin = false
    repeat {
      try takeNot()
      guard try member(of: place) else { return false }
    } while try takeOr()
    if block.isOpen {
      guard let word = peek(), word == "}" || word == ")" else {
        throw RuleError("missing \")\"", .usage)
      }
      position += 1
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
    guard let word = peek() else { throw RuleError(missing, .usage) }
    switch place {
    case .proto:
      guard let found = protocolWord(word) else {
        guard !block.joins else { throw RuleError("invalid protocol ``\(word)''", .badData) }
        return false
      }
      proto = found
      position += 1
      try append(found.test)
    case .source:
      position += 1
      try append(try address(word).map { .source($0) })
    case .destination:
      position += 1
      try append(try address(word).map { .destination($0) })
    }
    return true
  }

  private mutating func takeNot() throws(RuleError) {
    guard let word = peek(), matches(word, "not") else { return }
    guard !block.negates else { throw RuleError("double \"not\" not allowed", .usage) }
    position += 1
    block.negates = true
  }

  private mutating func takeOr() throws(RuleError) -> Bool {
    guard let word = peek(), matches(word, "or") else { return false }
    guard block.isOpen, block.canJoin else { throw RuleError("invalid OR block", .badData) }
    position += 1
    block.joins = true
    return true
  }

  /// What is no port is left for what comes next, and a `not` before it, too.
  private mutating func ports(_ test: ([ClosedRange<UInt16>]) -> Test) throws(RuleError) {
    try takeNot()
    guard let word = peek() else { return }
    if matches(word, "any") {
      try append(nil)
    } else if let ranges = try portRanges(word) {
      try append(test(ranges))
    } else {
      return
    }
    position += 1
    block.canJoin = false
  }
}
