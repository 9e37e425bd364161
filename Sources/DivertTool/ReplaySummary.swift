import Captures
import Firewall
import Glibc
import SimulatedHost

/// What a replay says at the end, for people.
struct ReplaySummary {
  let title: String
  let way: Replay.Way
  let rules: RuleSet
  let tally: ReplayTally
  let notes: [RuleNotes.Note?]
  let end: CaptureReader.End
  /// By link type.
  let skipped: [UInt32: Int]
  let duration: Duration

  func text(_ counters: RuleCounters) -> String {
    var text = heading + "\n\n"
    var listing = Listing(printer: RulePrinter())
    listing.showsCounters = true
    listing.disabledSets = rules.disabledSets
    let lines = listing.text(rules.entries, counter: { counters[$0] }).split(separator: "\n")
    for (index, line) in lines.enumerated() {
      text += line + "\n"
      guard let note = notes[index] else { continue }
      let last = counters[rules.entries[index].slot].lastMatch
      if let first = note.time { text += "      first \(TimeText(first)), last \(TimeText(last))\n" }
      text += "      packet \(note.packet): \(note.line)\n"
    }
    return text + "\n" + outcome + "\n" + rate + "\n"
  }

  private var heading: String {
    let place =
      switch way {
      case .incoming(let name): "received on \(name)"
      case .outgoing(let name): "leaving on \(name)"
      }
    var text = "\(title): \(tally.judged) IP packet\(tally.judged == 1 ? "" : "s"), \(place)"
    if let first = tally.firstTime, let last = tally.lastTime {
      text += "; \(TimeText(first)) to \(TimeText(last)) UTC"
    }
    switch end {
    case .complete: break
    case .cut: text += "\nThe file is cut short; this is what came before the cut."
    case .stopped: text += "\nInterrupted; this is what came before."
    }
    return text
  }

  private var outcome: String {
    var parts = ["accepted \(tally.accepted)", "denied \(tally.denied + tally.unreadable)"]
    if tally.unreadable > 0 { parts[1] += " (\(tally.unreadable) of them unreadable, by no rule)" }
    parts.append("diverted and not written back \(tally.diverted)")
    if tally.looped > 0 { parts.append("diverted too often and dropped \(tally.looped)") }
    var text = parts.joined(separator: ", ")
    var others = tally.other > 0 ? ["\(tally.other) that are no IP"] : []
    others += skipped.sorted { $0.key < $1.key }.map {
      "\($0.value) of link type \($0.key), which cannot be read"
    }
    if !others.isEmpty { text += "\nnot judged: " + others.joined(separator: ", ") }
    return text
  }

  private var rate: String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = max(1, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
    return
      "\(tally.frames) packets read in \(milliseconds) ms: \(tally.frames * 1000 / milliseconds) packets/s"
  }
}

/// Nanoseconds since 1970 as `2026-11-01 12:00:00.000000`, UTC.
struct TimeText: CustomStringConvertible {
  private let nanoseconds: UInt64

  init(_ nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  var description: String {
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = unsafe tm()
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "\(seconds) s" }
    let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
    let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
    let date = "\(year)-\(padded(month, 2))-\(padded(day, 2))"
    let time = "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))"
    return "\(date) \(time).\(padded(nanoseconds % 1_000_000_000 / 1000, 6))"
  }

  private func padded(_ number: some BinaryInteger, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}

/// How far a long replay is, on a terminal.
struct ReplayProgress {
  private let isShown: Bool
  private var last = ContinuousClock.now
  private var isThere = false

  init(isShown: Bool) { self.isShown = isShown }

  /// To be called after each packet.
  mutating func show(_ count: Int) {
    guard isShown, count & 0x3fff == 0, ContinuousClock.now - last > .milliseconds(200) else { return }
    (last, isThere) = (.now, true)
    complain("\r\(count) packets", end: "")
  }

  mutating func clear() {
    if isThere { complain("\r\u{1b}[K", end: "") }
    isThere = false
  }
}
