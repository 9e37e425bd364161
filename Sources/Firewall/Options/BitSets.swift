/// Numbers 0...31, of which a packet must have one.
extension RuleParser {
  mutating func bitSetOperand() throws(RuleError) -> UInt32 {
    let word = try need("icmptypes requires list of types")
    var types: UInt32 = 0
    for item in word.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let type = decimal(item.span), type <= UInt32.max else {
        throw RuleError("invalid ICMP type", .badData)
      }
      guard type < 32 else { throw RuleError("ICMP type out of range", .badData) }
      types |= 1 << UInt32(type)
    }
    return types
  }
}

extension RulePrinter {
  static func bitSet(_ types: UInt32) -> String {
    (0..<32).filter { types & (1 << $0) != 0 }.map { "\($0)" }.joined(separator: ",")
  }
}
