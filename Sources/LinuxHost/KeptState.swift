package import Firewall
import Glibc
package import Kernel

/// What a divertd has to know of an earlier one whose hooks are in force, as text. A line for each:
///
/// ```
/// socket PATH
/// secret NUMBER
/// passing PORT
/// disabled SETS
/// rule SLOT NUMBER set N RULE
/// ```
///
/// `disabled` has a bit for each set. Lines that begin with another word are of a later version and are skipped.
package struct KeptState: Equatable, Sendable {
  /// Where divertd listens; beside it are written down the settings that it has changed.
  package var socket: String
  package var secret: UInt64
  package var passingPorts: Set<UInt16> = []
  /// Nil where a rule cannot be read, as one of another version.
  package var ruleSet: RuleSet?

  package init(socket: String, secret: UInt64) { (self.socket, self.secret) = (socket, secret) }

  /// The rules that were in force.
  ///
  /// - Parameter action: What rule 65535 is to do now; nil: what it did.
  /// - Throws: `EILSEQ` where they cannot be read.
  package func rules(default action: Action?) throws(SystemError) -> RuleSet {
    guard let ruleSet else {
      throw SystemError(
        "take over the rules in force", code: EILSEQ,
        advice: "this divertd cannot read those of an earlier version; give it rules with --rules")
    }
    guard let action, let old = ruleSet.entries.last, old.rule.action != action else { return ruleSet }
    var rule = old.rule
    rule.action = action
    let entries = Array(ruleSet.entries.dropLast()) + [RuleSet.Entry(rule: rule, slot: old.slot)]
    return RuleSet(entries: entries, disabledSets: ruleSet.disabledSets) ?? ruleSet
  }

  private static var printer: RulePrinter {
    var printer = RulePrinter(names: .none)
    printer.showsSets = true
    return printer
  }

  package var text: String {
    var lines = ["socket \(socket)", "secret \(secret)"]
    lines += passingPorts.sorted().map { "passing \($0)" }
    if let ruleSet {
      let printer = Self.printer
      lines.append("disabled \(ruleSet.disabledSets)")
      // A comment may have any characters: ipfw takes it from the command line.
      lines += ruleSet.entries.map {
        "rule \($0.slot) " + printer.line($0.rule).replacing("\n", with: " ")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// - Returns: nil for what does not tell socket and secret.
  package init?(text: String) {
    var (socket, secret) = (String?.none, UInt64?.none)
    var (entries, disabled, isReadable) = ([RuleSet.Entry](), UInt32(0), true)
    for line in text.split(separator: "\n") {
      let word = line.prefix { $0 != " " }
      let rest = line.dropFirst(word.count + 1)
      switch word {
      case "socket": socket = String(rest)
      case "secret": secret = UInt64(rest)
      case "passing": if let port = UInt16(rest) { passingPorts.insert(port) }
      case "disabled": disabled = UInt32(rest) ?? 0
      case "rule":
        if let entry = Self.rule(rest) {
          entries.append(entry)
        } else {
          isReadable = false
        }
      default: break
      }
    }
    guard let socket, let secret else { return nil }
    (self.socket, self.secret) = (socket, secret)
    ruleSet = isReadable ? RuleSet(entries: entries, disabledSets: disabled) : nil
  }

  private static func rule(_ line: Substring) -> RuleSet.Entry? {
    var words = line.split(separator: " ").map(String.init)
    guard words.count > 1, let slot = Int(words.removeFirst()) else { return nil }
    var parser = RuleParser(words, names: .none)
    return (try? parser.rule()).map { RuleSet.Entry(rule: $0, slot: slot) }
  }

  // MARK: Counters

  /// A line `SLOT PACKETS BYTES TIME` of what divertd itself has counted for a rule, TIME in nanoseconds since 1970.
  static func line(_ slot: Int, _ counter: RuleCounters.Counter) -> String {
    "\(slot) \(counter.packets) \(counter.bytes) \(counter.lastMatch)\n"
  }

  static func counters(_ text: String) -> [(slot: Int, counter: RuleCounters.Counter)] {
    text.split(separator: "\n").compactMap { line in
      let numbers = line.split(separator: " ").compactMap { UInt64($0) }
      guard numbers.count == 4, let slot = Int(exactly: numbers[0]) else { return nil }
      return (
        slot, RuleCounters.Counter(packets: numbers[1], bytes: numbers[2], lastMatch: numbers[3])
      )
    }
  }
}
