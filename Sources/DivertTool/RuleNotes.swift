import Firewall
import Packets
import SimulatedHost

/// Which packet each rule has met first.
struct RuleNotes {
  struct Note {
    let packet: Int
    let time: UInt64?
    /// The packet, told in a line.
    let line: String
  }

  /// By the rules' indexes.
  private(set) var notes: [Note?]
  /// Rules without a note that no verdict tells of, since packets go on behind them: of those, the counters tell.
  private var silent: [(index: Int, slot: Int)] = []

  init(_ rules: RuleSet) {
    notes = Array(repeating: nil, count: rules.entries.count)
    for (index, entry) in rules.entries.enumerated() {
      switch entry.rule.action {
      case .allow, .deny, .divert, .tee: break
      default: silent.append((index, entry.slot))
      }
    }
  }

  /// To be called after each packet that rules have seen.
  ///
  /// - Complexity: O(verdicts + silent rules that have met none yet).
  mutating func note(
    _ packet: RawSpan, wireLength: Int, _ number: Int, _ time: UInt64?, by replay: borrowing Replay
  ) {
    for verdict in replay.verdicts where notes[verdict.next - 1] == nil {
      notes[verdict.next - 1] = Note(packet, wireLength: wireLength, number, time)
    }
    var place = 0
    while place < silent.count {
      let (index, slot) = silent[place]
      if replay.counter(slot).packets > 0 {
        notes[index] = Note(packet, wireLength: wireLength, number, time)
        silent.remove(at: place)
      } else {
        place += 1
      }
    }
  }
}

extension RuleNotes.Note {
  /// What a capture has left away of the packet is told as zeros: the lengths are right then.
  fileprivate init(_ packet: RawSpan, wireLength: Int, _ number: Int, _ time: UInt64?) {
    let missing = min(65_535, max(0, wireLength - packet.byteCount))
    let whole = packet.byteArray + [UInt8](repeating: 0, count: missing)
    self.packet = number
    self.time = time
    line = unsafe PacketSummary.summary(of: whole.span.bytes)
  }
}
