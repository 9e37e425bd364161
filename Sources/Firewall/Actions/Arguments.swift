/// The arguments of actions.
extension RuleParser {
  mutating func action(_ row: ActionKind.Row, after word: String) throws(RuleError) -> Action {
    switch row.argument {
    case .none(let action): action
    case .divertPort(let make): make(try divertPort(after: word))
    case .ruleNumber(let make): make(try ruleNumber(after: word))
    }
  }

  /// 1...65534; what no rule could have is refused.
  private mutating func ruleNumber(after action: String) throws(RuleError) -> UInt16 {
    let word = try need("missing argument for \(action)")
    if matches(word, "tablearg") { throw .later("tablearg") }
    guard let number = decimal(word), (1...65534).contains(number) else {
      throw RuleError("illegal argument for \(action)", .badData)
    }
    return UInt16(number)
  }

  private mutating func divertPort(after action: String) throws(RuleError) -> UInt16 {
    let word = try need("missing argument for \(action)")
    if startsWithDigit(word) {
      guard let port = decimal(word), (1...65534).contains(port) else {
        throw RuleError("illegal argument for \(action)", .badData)
      }
      return UInt16(port)
    }
    if matches(word, "tablearg") { throw .later("tablearg") }
    guard let port = names.port(ofService: word, "divert") else {
      throw RuleError("illegal divert/tee port", .badData)
    }
    return port
  }
}
