#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The lines of `ipfw list` and `ipfw show` (ipfw2.c, `show_static_rule`).
package struct Listing: Sendable {
  package var printer: RulePrinter
  package var showsCounters = false
  /// Bit n is set n.
  package var disabledSets: UInt32 = 0
  package var time = IpfwFlags.Time.none

  package init(printer: RulePrinter) { self.printer = printer }

  /// Number, packets, bytes, time, rule; the two counters as wide as the widest one shown.
  package func text(
    _ entries: some Collection<RuleSet.Entry>, counter: (Int) -> RuleCounters.Counter
  ) -> String {
    let rows = entries.map { ($0.rule, counter($0.slot)) }
    let packetsWidth = rows.map { String($0.1.packets).utf8.count }.max() ?? 0
    let bytesWidth = rows.map { String($0.1.bytes).utf8.count }.max() ?? 0
    var text = ""
    for (rule, counter) in rows {
      if disabledSets & 1 << UInt32(rule.set) != 0 { text += "# DISABLED " }
      text += padded(rule.number, 5, "0") + " "
      if showsCounters {
        text += "\(padded(counter.packets, packetsWidth)) \(padded(counter.bytes, bytesWidth)) "
      }
      switch time {
      case .none: break
      case .text: text += Self.timeText(counter.lastMatch) + " "
      case .number: text += padded(counter.lastMatch / 1_000_000_000, 10) + " "
      }
      text += printer.text(rule) + "\n"
    }
    return text
  }

  /// ctime(3) without its newline: 24 characters, blanks for never.
  private static func timeText(_ nanoseconds: UInt64) -> String {
    let never = String(repeating: " ", count: 24)
    guard nanoseconds != 0 else { return never }
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var buffer = [CChar](repeating: 0, count: 64)
    guard unsafe ctime_r(&seconds, &buffer) != nil else { return never }
    return String(decoding: buffer.prefix(24).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
