import Packets
import TestSupport
import Testing

/// What becomes of fragments that repeat, overlap or contradict each other.
struct FragmentMeetingTests {
  /// Fragments as "2:AB+": 8 bytes of A, 8 of B at offset 16, more to follow; "3:C.": the last one. ECN in the
  /// end, where it is not 0.
  struct Row: Sendable, CustomTestStringConvertible {
    let version: UInt8, fragments: [String], outcomes: String, whole: String?, line: SourceLocation
    let counters: @Sendable (inout TestQueue.Counters) -> Void
    init(
      _ version: UInt8, _ fragments: String, _ outcomes: String, whole: String? = nil,
      line: SourceLocation = #_sourceLocation,
      counters: @escaping @Sendable (inout TestQueue.Counters) -> Void = { _ in }
    ) {
      self.version = version
      self.fragments = fragments.split(separator: " ").map(String.init)
      (self.outcomes, self.whole, self.line, self.counters) = (outcomes, whole, line, counters)
    }
    var testDescription: String { "IPv\(version) \(fragments)" }

    /// The bytes that a text of letters stands for.
    static func data(_ letters: some StringProtocol) -> [UInt8] {
      letters.utf8.flatMap { [UInt8](repeating: $0, count: 8) }
    }

    var packets: [[UInt8]] {
      get throws {
        let packet = try CuttablePacket.plain(version: version)
        return fragments.map { text in
          let parts = text.split(separator: ":")
          let start = (Int(parts[0]) ?? 0) * 8
          let data = Self.data(parts[1].prefix { $0.isLetter })
          return packet.fragment(
            start..<(start + data.count), more: parts[1].contains("+"), data: data,
            congestion: text.last.flatMap { UInt8(String($0)) } ?? 0)
        }
      }
    }
  }

  static let rows: [Row] = [
    Row(4, "0:AA+ 2:B.", "held complete", whole: "AAB") { $0.reassembled = 1 },
    Row(4, "2:B. 0:AA+", "held complete", whole: "AAB") { $0.reassembled = 1 },
    Row(4, "1:B+ 2:C. 0:A+", "held held complete", whole: "ABC") { $0.reassembled = 1 },
    Row(4, "0:A.", "complete", whole: "A") { $0.reassembled = 1 },
    // What is there stays when it begins before.
    Row(4, "0:AA+ 1:BB+ 3:C.", "held held complete", whole: "AABC") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    Row(4, "0:AA+ 0:BBB+ 3:C.", "held held complete", whole: "AABC") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    // What is there and begins later gives way, in part or all of it.
    Row(4, "1:BB+ 0:AA+ 3:C.", "held held complete", whole: "AABC") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    Row(4, "1:B+ 0:AAA+ 3:C.", "held held complete", whole: "AAAC") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    Row(4, "1:B+ 3:C+ 5:D+ 0:EEEEEE+ 6:F.", "held held held held complete", whole: "EEEEEEF") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    Row(4, "2:BB. 1:AAA. 0:C+", "held held complete", whole: "CAAA") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    // Both at once.
    Row(4, "0:AA+ 2:CC+ 1:BB+ 4:D.", "held held held complete", whole: "AABCD") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    Row(4, "0:A+ 2:C+ 0:BBBB+ 4:D.", "held held held complete", whole: "ABBBD") {
      ($0.reassembled, $0.overlapping) = (1, 1)
    },
    // Nothing new.
    Row(4, "0:AA+ 0:AA+ 2:B.", "held refused complete", whole: "AAB") {
      ($0.reassembled, $0.duplicate) = (1, 1)
    },
    Row(4, "0:AAA+ 1:B+ 3:C.", "held refused complete", whole: "AAAC") {
      ($0.reassembled, $0.duplicate) = (1, 1)
    },
    Row(4, "1:B. 1:C. 0:A+", "held refused complete", whole: "AB") {
      ($0.reassembled, $0.duplicate) = (1, 1)
    },
    // There is one end, and nothing behind it.
    Row(4, "1:B. 2:C+ 0:A+", "held refused complete", whole: "AB") { ($0.reassembled, $0.invalid) = (1, 1) },
    Row(4, "1:B. 0:CC+ 0:A+", "held refused complete", whole: "AB") { ($0.reassembled, $0.invalid) = (1, 1) },
    Row(4, "1:B. 1:BC. 0:A+", "held refused complete", whole: "AB") { ($0.reassembled, $0.invalid) = (1, 1) },
    Row(4, "2:C. 1:B. 0:AA+", "held refused complete", whole: "AAC") {
      ($0.reassembled, $0.invalid) = (1, 1)
    },
    Row(4, "0:AAA+ 1:B. 3:C.", "held refused complete", whole: "AAAC") {
      ($0.reassembled, $0.invalid) = (1, 1)
    },
    Row(4, "0:AA+ 1:B. 2:C.", "held refused complete", whole: "AAC") {
      ($0.reassembled, $0.invalid) = (1, 1)
    },
    // RFC 3168 §5.3
    Row(4, "0:A+0 1:B+3 1:B.0", "held refused complete", whole: "AB") {
      ($0.reassembled, $0.mixedCongestion) = (1, 1)
    },
    Row(4, "0:A+3 1:B.0 1:C.2", "held refused complete", whole: "AC") {
      ($0.reassembled, $0.mixedCongestion) = (1, 1)
    },
    Row(4, "0:A+1 1:B.0 1:C.1", "held refused complete", whole: "AC") {
      ($0.reassembled, $0.mixedCongestion) = (1, 1)
    },
    Row(4, "0:A+0 1:B.1", "held complete", whole: "AB") { $0.reassembled = 1 },

    Row(6, "0:AA+ 2:B.", "held complete", whole: "AAB") { $0.reassembled = 1 },
    Row(6, "1:B+ 2:C. 0:A+", "held held complete", whole: "ABC") { $0.reassembled = 1 },
    Row(6, "0:AA+ 0:AA+ 2:B.", "held refused complete", whole: "AAB") {
      ($0.reassembled, $0.duplicate) = (1, 1)
    },
    Row(6, "1:B+ 3:D+ 3:E+ 0:A+ 4:E. 2:C+", "held held refused held held complete", whole: "ABCDE") {
      ($0.reassembled, $0.duplicate) = (1, 1)
    },
    // RFC 5722: the datagram is gone; what comes later begins anew.
    Row(6, "0:AA+ 1:BB+ 3:C.", "held broken held") { $0.overlapping = 1 },
    Row(6, "1:BB+ 0:AA+", "held broken") { $0.overlapping = 1 },
    Row(6, "0:AAA+ 1:B+", "held broken") { $0.overlapping = 1 },
    Row(6, "1:B+ 0:AAA+", "held broken") { $0.overlapping = 1 },
    Row(6, "0:AA+ 0:AAA+", "held broken") { $0.overlapping = 1 },
    Row(6, "1:B. 1:BC.", "held broken") { $0.overlapping = 1 },
    Row(6, "1:B. 2:C+ 0:A+", "held refused complete", whole: "AB") { ($0.reassembled, $0.invalid) = (1, 1) },
    Row(6, "0:A+0 1:B+3 1:B.0", "held refused complete", whole: "AB") {
      ($0.reassembled, $0.mixedCongestion) = (1, 1)
    },
    // An atomic fragment meets no others (RFC 6946).
    Row(6, "1:B. 0:C. 0:A+", "held complete complete", whole: "AB") { $0.reassembled = 2 },
  ]

  @Test(arguments: rows) func `fragments meet`(_ row: Row) throws {
    var queue = TestQueue()
    var outcomes: [TestQueue.Outcome] = []
    for (note, packet) in try row.packets.enumerated() { outcomes.append(queue.add(packet, note)) }
    #expect(outcomes.map(\.name).joined(separator: " ") == row.outcomes, sourceLocation: row.line)
    var counters = TestQueue.Counters()
    counters.fragments = UInt64(row.fragments.count)
    row.counters(&counters)
    #expect(queue.counters == counters, sourceLocation: row.line)
    if let whole = row.whole {
      let data = outcomes.last?.datagram?.assembled()?.dropFirst(row.version == 4 ? 20 : 40)
      #expect(data.map(Array.init) == Row.data(whole), sourceLocation: row.line)
      #expect(queue.heldDatagrams == 0 && queue.heldBytes == 0, sourceLocation: row.line)
    }
  }
}
