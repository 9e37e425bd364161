@testable import DivertWire
import TestSupport
import Testing

struct ControlMessageTests {
  /// In the order of the examples in docs/control-messages.md, which speaks to other implementers.
  static let examples: [ControlMessage] = [
    .open, .bind(port: 2000), .bound(port: 2000, link: 7), .ipfw(words: ["list"]),
    .result(status: 0, output: "ok.\n", errors: ""), .failed(code: 98, text: "bind divert port 2000"),
    .counts, .counted(slot: 3), .options(.fragments), .policy(port: 2000, .pass), .done,
    .statistics, .told(statistics), .release,
  ]

  private static var statistics: HostStatistics {
    var statistics = HostStatistics()
    statistics.totals[.diverted] = 5
    statistics.totals[.noPort] = 1
    statistics.written[.reinjectedIncoming] = 4
    statistics.bound = [
      BoundPort(
        port: 2000, policy: .drop, options: .fragments, link: 7, linkName: "divert2000", inode: 4242,
        waiting: 768, receiveBuffer: 212_992, droppedFull: 0, diverted: 5, teed: 0,
        written: statistics.written)
    ]
    statistics.unbound = [UnboundPort(port: 2001, policy: .pass)]
    statistics.unruled = [UnruledInterface(name: "ib0", reason: "odd")]
    statistics.staysInForce = true
    return statistics
  }

  @Test func `the page has a row for each message and each count`() throws {
    let page = try readPage("docs/control-messages.md")
    let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") }
      .map { $0.split(separator: "|").map { $0.filter { $0 != " " } } }
    for message in Self.all {
      let name = String("\(message)".prefix { $0.isLetter })
      #expect(rows.contains { $0.prefix(2) == ["\(message.bytes[4])", name] }, "\(name)")
    }
    // Two tables count: what sockets write has an errno behind it, what happens on the host has none and comes last.
    for (table, count) in [(3, SocketCount.allCases.count), (2, HostCount.allCases.count)] {
      let numbers = rows.filter { $0.count == table }.compactMap { Int($0[0]) }
      #expect(numbers.suffix(count) == Array(0..<count)[...], "the table with \(table) columns")
    }
  }

  @Test func `counts that the other side does not tell are 0`() throws {
    var told = Counts<HostCount>([1, 2])
    #expect(told[.diverted] == 1 && told[.teed] == 2 && told[.mixedCongestion] == 0)
    told[.mixedCongestion] = 3
    let newer = Counts<HostCount>(told.values + [4])
    #expect((newer - told)[.mixedCongestion] == 0 && (newer + told)[.teed] == 4)
  }

  /// Found by the fuzzer: written again, such a message is shorter.
  @Test func `zeros at the end of counts say nothing`() throws {
    let totals = "00000002 0000000000000000 0000000000000000"
    let none = "00000000"
    var bytes = hex("00000026 86" + totals + none + none + none + none + "00")
    #expect(try ControlMessage.next(from: &bytes) == .told(HostStatistics()))
    #expect(bytes.isEmpty)
    var again = ControlMessage.told(HostStatistics()).bytes
    #expect(again == hex("00000016 86" + none + none + none + none + none + "00"))
    #expect(try ControlMessage.next(from: &again) == .told(HostStatistics()))
  }

  /// Of every kind of count, from none to more than are known here.
  @Test(arguments: 0...40) func `a message with any number of counts reads back as the same`(_ count: Int)
    throws
  {
    for last in [0, 7] as [UInt64] {
      let values: [UInt64] = (0..<count).map { $0 == count - 1 ? last : UInt64($0) % 3 }
      var body: [UInt8] = [0x86]
      for _ in 0..<2 { body.append(values) { $0.append($1) } }
      body += hex("00000000 00000000 00000000 00")
      var message: [UInt8] = []
      message.append(UInt32(body.count))
      message += body
      let told = try #require(try ControlMessage.next(from: &message))
      var again = told.bytes
      #expect(try ControlMessage.next(from: &again) == told && again.isEmpty)
    }
  }

  @Test func `the page's examples are what is sent and read`() throws {
    let blocks = try readPage("docs/control-messages.md").components(between: "```")
    #expect(blocks.count == Self.examples.count)
    for (block, message) in zip(blocks, Self.examples) {
      let bytes = hex(block)
      #expect(message.bytes == bytes, "\(message)")
      var received = bytes
      #expect(try ControlMessage.next(from: &received) == message)
      #expect(received.isEmpty)
    }
  }

  static let all: [ControlMessage] =
    examples + [
      .opened(link: .max), .bind(port: 0), .ipfw(words: []), .ipfw(words: ["", "add", "dürfen"]),
      .result(status: -1, output: String(repeating: "x", count: 100_000), errors: "\n"),
      .failed(code: 1, text: ""),
    ]

  @Test(arguments: all) func `what is written is read, however it was cut`(_ message: ControlMessage) throws {
    let bytes = message.bytes
    let next = ControlMessage.open.bytes
    for cut in [0, 1, 3, 4, 5, bytes.count / 2, bytes.count - 1] where cut < bytes.count {
      var received = Array(bytes[..<cut])
      #expect(try ControlMessage.next(from: &received) == nil)
      received += bytes[cut...] + next
      #expect(try ControlMessage.next(from: &received) == message)
      #expect(try ControlMessage.next(from: &received) == .open)
      #expect(received.isEmpty)
    }
  }

  static let nonsense = [
    "00000000", "ffffffff", "00000001 63", "00000002 01 00", "00000002 02 07", "00000004 02 07d0 00",
    "00000004 06 07d0 02", "00000003 06 07d0", "00000005 03 00000004", "00000006 03 00000001 ff",
    "00000003 82 07d0",
  ]

  @Test(arguments: nonsense) func `what is no message is refused`(_ text: String) {
    var received = hex(text)
    #expect(throws: ControlMessageError.self) { try ControlMessage.next(from: &received) }
  }

  @Test func `random bytes never crash the reader`() {
    var random = SeededGenerator()
    for round in 0..<20_000 {
      var received = random.bytes(Int.random(in: 0...40, using: &random))
      if received.count >= 4 { (received[0], received[1], received[2]) = (0, 0, 0) }
      let before = received
      while let message = try? ControlMessage.next(from: &received) {
        #expect(before.count >= message.bytes.count, "seed \(testSeed), round \(round), \(before)")
      }
    }
  }
}

extension String {
  /// What stands between each pair of marks.
  fileprivate func components(between mark: String) -> [String] {
    var parts: [String] = []
    var rest = self[...]
    while let start = rest.firstRange(of: mark), let end = rest[start.upperBound...].firstRange(of: mark) {
      parts.append(String(rest[start.upperBound..<end.lowerBound]))
      rest = rest[end.upperBound...]
    }
    return parts
  }
}
