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
  /// The same, quicker to ask.
  private var isNoted: [Bool]
  /// Rules without a note that no verdict tells of, since packets go on behind them: of those, the counters tell.
  private var silent: [(index: Int, slot: Int)] = []

  init(_ rules: RuleSet) {
    notes = Array(repeating: nil, count: rules.entries.count)
    isNoted = Array(repeating: false, count: rules.entries.count)
    for (index, entry) in rules.entries.enumerated() {
      switch entry.rule.action {
      case .allow, .deny, .divert, .tee: break
      case .count, .skipto: silent.append((index, entry.slot))
      }
    }
  }

  /// To be called after each packet that rules have seen.
  ///
  /// - Complexity: O(verdicts + silent rules that have met none yet).
  mutating func note(
    _ packet: RawSpan, wireLength: Int, _ number: Int, _ time: UInt64?, by replay: borrowing Replay
  ) {
    let verdicts = replay.verdicts
    for index in verdicts.indices where !isNoted[verdicts[index].next - 1] {
      set(verdicts[index].next - 1, Note(packet, wireLength: wireLength, number, time))
    }
    var place = 0
    while place < silent.count {
      let (index, slot) = silent[place]
      if replay.counter(slot).packets > 0 {
        set(index, Note(packet, wireLength: wireLength, number, time))
        silent.remove(at: place)
      } else {
        place += 1
      }
    }
  }

  private mutating func set(_ index: Int, _ note: Note) {
    notes[index] = note
    isNoted[index] = true
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
