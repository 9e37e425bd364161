import Packets

/// A protocol above IP, by name or number.
extension RuleParser {
  /// The first word of a body: `ip` and `all` are any; `ip4` and `ip6` the versions; else a name or a number from 1 on.
  mutating func protocolWord(_ word: String) -> Proto? {
    if word == "ip" || matches(word, "all") { return .any }
    switch Grammar.options.meaning(of: word) {
    case .option(.version4): return .ip4
    case .option(.version6): return .ip6
    case .option, .not, .or, .open, .close, .comment, .later, nil:
      return protocolNumber(word).map { .number($0) }
    }
  }

  /// nil: any.
  mutating func protocolOperand() throws(RuleError) -> UInt8? {
    let word = try need("missing protocol")
    if word == "ip" || matches(word, "all") { return nil }
    guard let number = protocolNumber(word) else {
      throw RuleError("invalid protocol ``\(word)''", .badData)
    }
    proto = .number(number)
    return number
  }

  private func protocolNumber(_ word: String) -> UInt8? {
    if let number = decimal(word), number <= 255, number > 0 { return UInt8(number) }
    return names.protocolNumber(word)
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
