/// Flags that must be set, and flags that must be clear.
extension RuleParser {
  /// Without an operand, what the option means bare: what follows may be the next option.
  mutating func flagsOperand(
    _ names: Keywords<UInt8>, _ missing: String, _ bare: FlagMatch?
  ) throws(RuleError) -> FlagMatch {
    guard let bare else { return try flags(try need(missing), names) }
    guard let word = peek(), let match = try? flags(word, names) else { return bare }
    position += 1
    return match
  }

  /// Names with commas between, each perhaps with `!` before it.
  private func flags(_ word: String, _ names: Keywords<UInt8>) throws(RuleError) -> FlagMatch {
    var match = FlagMatch()
    for item in word.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let isCleared = item.first == UInt8(ascii: "!")
      let name = String(Substring(isCleared ? item.dropFirst() : item))
      guard let bit = names.meaning(of: name) else {
        throw RuleError(name.isEmpty ? "invalid flag" : "invalid flag \(name)", .badData)
      }
      if isCleared { match.clear |= bit } else { match.set |= bit }
    }
    return match
  }
}

extension RulePrinter {
  /// For each flag whether it must be set, then whether clear: a rule may ask for both.
  static func flags(_ match: FlagMatch, _ names: Keywords<UInt8>) -> String {
    names.entries.flatMap { word, bit in
      (match.set & bit != 0 ? [word] : []) + (match.clear & bit != 0 ? ["!\(word)"] : [])
    }.joined(separator: ",")
  }
}

extension Grammar {
  /// `tcpflags`, in the order of listing (RFC 9293 §3.1 has the bits).
  package static let tcpFlags = Keywords<UInt8>([
    ("syn", 0x02), ("fin", 0x01), ("ack", 0x10), ("psh", 0x08), ("rst", 0x04), ("urg", 0x20),
  ])

  /// `frag`, as bits of ``PacketFields/fragmentBits``.
  package static let fragmentFlags = Keywords<UInt8>([
    ("rf", 0x80), ("df", 0x40), ("mf", 0x20), ("offset", 0x01),
  ])
}
