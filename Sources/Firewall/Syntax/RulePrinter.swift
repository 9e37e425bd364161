import Packets

/// Writes rules the way ipfw lists them, from the tables that the parser reads.
package struct RulePrinter: Sendable {
  package var names: Names
  /// -N: ports by the names of their services.
  package var showsServices = false
  /// -c: without `ip from any to any`.
  package var isCompact = false
  /// -S: the number of the set before the rest.
  package var showsSets = false
  /// -b: action and comment only.
  package var isBrief = false

  package init(names: Names = .system) { self.names = names }

  /// A line of `ipfw list`: number and text.
  package func line(_ rule: Rule) -> String { "\(padded(rule.number, 5, "0")) \(text(rule))" }

  /// The rule without its number.
  package func text(_ rule: Rule) -> String {
    var words = showsSets ? [Grammar.prefixes.word(for: .set), "\(rule.set)"] : []
    if let probability = rule.probability {
      words += [Grammar.prefixes.word(for: .probability), "0.\(padded(probability, 6, "0"))"]
    }
    words.append(rule.action.text)
    if let amount = rule.logAmount {
      words.append(Grammar.modifiers.word(for: .log))
      if amount > 0 { words += [Grammar.logOptions.word(for: .logAmount), "\(amount)"] }
    }
    if isBrief {
      words.append("// \(rule.comment ?? "...")")
      return words.joined(separator: " ")
    }
    if rule.hasFromTo {
      let parts = Arrangement(rule.clauses)
      if !(isCompact && parts.isAnyToAny) {
        words += fromTo(parts)
      } else if parts.options.isEmpty {
        // ipfw leaves `from any to any` away, but no body empty
        words.append("ip")
      }
      words += parts.options.map { option($0, parts) }
    } else {
      words += rule.clauses.map { option($0, nil) }
    }
    if let comment = rule.comment { words.append("// \(comment)") }
    return words.joined(separator: " ")
  }

  // MARK: PROTO from … to …

  private func fromTo(_ parts: Arrangement) -> [String] {
    var words = [parts.proto.map { inPlace($0, parts) } ?? "ip", "from"]
    words.append(parts.source.map { inPlace($0, parts) } ?? "any")
    if let ports = parts.sourcePort { words.append(inPlace(ports, parts)) }
    words += ["to", parts.destination.map { inPlace($0, parts) } ?? "any"]
    if let ports = parts.destinationPort { words.append(inPlace(ports, parts)) }
    return words
  }

  private func inPlace(_ clause: Clause, _ parts: Arrangement) -> String {
    block(clause) { operand($0, parts) }
  }

  private func option(_ clause: Clause, _ parts: Arrangement?) -> String {
    block(clause) { test in
      let row = test.option.row
      switch row.operand {
      case .none: return row.words[0]
      case .addresses4: return "\(row.words[0]) \(operand(test, nil))"
      case .protocolNumber, .addresses6, .ports, .interface, .bitSet, .flags:
        return "\(row.words[0]) \(operand(test, parts))"
      }
    }
  }

  /// A block of one loses its braces.
  private func block(_ clause: Clause, _ text: (Test) -> String) -> String {
    let terms = clause.terms.map { ($0.negated ? "not " : "") + text($0.test) }
    return terms.count == 1 ? terms[0] : "{ \(terms.joined(separator: " or ")) }"
  }
}

/// A number filled up at its left.
func padded(_ number: some BinaryInteger, _ width: Int, _ filler: Character = " ") -> String {
  let digits = String(number)
  return String(repeating: filler, count: max(width - digits.utf8.count, 0)) + digits
}
