import Firewall

/// The tables of options and of actions as ipfw(8) has them, in mdoc(7). docs/man/ipfw.8 holds them between
/// ``begin(_:)`` and ``end(_:)``; a test holds both equal.
package enum ManualTables {
  package static func begin(_ name: String) -> String {
    #".\" The \#(name), as in Sources/Firewall: `WRITE_PAGES=1 swift test --filter ManualPageTests` writes them."#
  }
  package static func end(_ name: String) -> String { #".\" End of the \#(name)."# }

  package static let options: String =
    RuleOption.table.sorted { $0.words[0] < $1.words[0] }.map { row in
      item(row.words, row.operand.placeholder?.long, isOptional: row.operand.isOptional)
        + prose(row.documentation) + flags(row.operand)
    }.joined()

  package static let actions: String =
    ActionKind.table.map { row in
      item(row.words, row.argument.placeholder?.long) + prose(row.documentation)
    }.joined()

  private static func item(_ words: [String], _ operand: String?, isOptional: Bool = false) -> String {
    let words = ".It Cm " + words.joined(separator: " | ")
    guard let operand else { return words + "\n" }
    return words + (isOptional ? " Op Ar \(operand)\n" : " Ar \(operand)\n")
  }

  private static func flags(_ operand: OperandFamily) -> String {
    switch operand {
    case .flags(let names, _, _, _):
      """
      All of
      .Cm \(names.entries.map(\.word).joined(separator: " , "))
      that are named have to be set, or clear with
      .Cm \\&!
      before them.

      """
    case .none, .protocolNumber, .addresses4, .addresses6, .ports, .interface, .bitSet: ""
    }
  }

  /// A new line for each sentence, and where one is long.
  private static func prose(_ text: String) -> String {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + word.count >= 78 || line.hasSuffix(".") {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return (lines + [line]).map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&\($0)\n" : "\($0)\n" }.joined()
  }
}
