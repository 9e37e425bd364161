import Packets
import TestSupport
import Testing

typealias TestQueue = FragmentQueue<Int>

extension FragmentQueue {
  mutating func add(_ packet: [UInt8], _ note: Note, domain: UInt8 = 0, now: UInt64 = 0) -> Outcome {
    add(packet.rawSpan, note, domain: domain, now: now)
  }
}

extension FragmentQueue.Outcome {
  var datagram: FragmentQueue.Datagram? {
    switch self {
    case .complete(let datagram), .broken(let datagram): datagram
    case .held, .refused: nil
    }
  }

  var name: String {
    switch self {
    case .held: "held"
    case .complete: "complete"
    case .refused: "refused"
    case .broken: "broken"
    }
  }
}

struct FragmentQueueTests {
  @Test(arguments: [4, 6] as [UInt8])
  func `originals and notes come back in order of arrival`(version: UInt8) throws {
    let packet = try CuttablePacket.plain(version: version, data: [UInt8](0..<40))
    let fragments = [packet.fragment(32..<40), packet.fragment(0..<16), packet.fragment(16..<32)]
    var queue = TestQueue()
    #expect(queue.add(fragments[0] + [1, 2, 3], 10).name == "held")  // padding of a short frame
    #expect(queue.add(fragments[1], 11).name == "held")
    #expect(queue.heldBytes == fragments[0].count + fragments[1].count && queue.heldDatagrams == 1)
    let datagram = try #require(queue.add(fragments[2], 12).datagram)
    #expect(datagram.fragments.map(\.bytes) == fragments && datagram.fragments.map(\.note) == [10, 11, 12])
    #expect(datagram.assembled() == packet.bytes)
  }

  /// (version, marks of the two fragments, mark of the whole)
  @Test(
    arguments: [
      (4, [0, 0], 0), (4, [1, 1], 1), (4, [2, 3], 3), (4, [3, 1], 3), (6, [0, 0], 0), (6, [2, 3], 3),
      (6, [3, 2], 3), (6, [1, 2], 1),
    ] as [(UInt8, [UInt8], UInt8)])
  func `congestion is not forgotten`(version: UInt8, marks: [UInt8], expected: UInt8) throws {
    let packet = try CuttablePacket.plain(version: version, data: [UInt8](0..<16))
    var queue = TestQueue()
    _ = queue.add(packet.fragment(0..<8, congestion: marks[0]), 0)
    let whole = try #require(
      queue.add(packet.fragment(8..<16, congestion: marks[1]), 1).datagram?.assembled())
    #expect((version == 4 ? whole[1] : whole[1] >> 4) == expected)
    if version == 4 {
      let valid = try IPv4(whole.rawSpan).isHeaderChecksumValid
      #expect(valid)
    }
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `only fragments of one datagram meet`(version: UInt8) throws {
    let data = [UInt8](0..<16)
    let packet = try CuttablePacket.plain(version: version, data: data)
    let first = packet.fragment(0..<8)
    let second = packet.fragment(8..<16)
    func changed(_ offset: Int) -> [UInt8] {
      var bytes = second
      bytes[offset] ^= 1
      return bytes
    }
    let places = version == 4 ? (4...5, 12...19) : (44...47, 8...39)
    for offset in Array(places.0) + Array(places.1) + (version == 4 ? [9] : []) {
      var queue = TestQueue()
      #expect(queue.add(first, 0).name == "held")
      #expect(queue.add(changed(offset), 1).name == "held", "byte \(offset)")
      #expect(queue.add(second, 2, domain: 1).name == "held")
      #expect(queue.heldDatagrams == 3)
      #expect(queue.add(second, 3).name == "complete")
    }
    if version == 6 {  // the next header of later fragments does not count
      var queue = TestQueue()
      #expect(queue.add(first, 0).name == "held")
      let datagram = queue.add(changed(40), 1).datagram
      #expect(datagram?.assembled() == packet.bytes)
    }
    // versions are apart even where all numbers are the same
    var queue = TestQueue()
    _ = queue.add(first, 0)
    let other = try CuttablePacket.plain(version: 10 - version, protocolNumber: 0, data: data)
    #expect(queue.add(other.fragment(8..<16), 1).name == "held")
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `what is no good is refused`(version: UInt8) throws {
    let packet = try CuttablePacket.plain(version: version, data: [UInt8](repeating: 1, count: 40))
    var unreadable = packet.fragment(0..<8)
    unreadable.removeLast()
    let rows: [([UInt8], WritableKeyPath<TestQueue.Counters, UInt64>)] = [
      ([], \.invalid), ([0x45], \.invalid), (unreadable, \.invalid),
      (packet.fragment(0..<7), \.invalid), (packet.fragment(8..<8), \.invalid),
      (packet.fragment(40..<40), \.invalid), (packet.fragment(16..<25), \.invalid),
      (packet.fragment(65528..<65536, more: false, data: [UInt8](repeating: 0, count: 8)), \.oversize),
      (packet.fragment(65520..<65600, more: true, data: [UInt8](repeating: 0, count: 80)), \.oversize),
    ]
    for (bytes, counter) in rows {
      var queue = TestQueue()
      #expect(queue.add(bytes, 0).name == "refused", "\(bytes.prefix(60))")
      var counters = TestQueue.Counters()
      counters.fragments = 1
      counters[keyPath: counter] = 1
      #expect(queue.counters == counters && queue.heldDatagrams == 0, "\(bytes.prefix(60))")
    }
  }

  /// (version, options or extension headers of the first fragment, bytes of data, outcome)
  @Test(
    arguments: [
      (4, 0, 65515, "complete"), (4, 0, 65516, "refused"), (4, 40, 65475, "complete"),
      (4, 40, 65476, "broken"), (6, 0, 65535, "complete"), (6, 8, 65527, "complete"), (6, 8, 65528, "broken"),
    ] as [(UInt8, Int, Int, String)])
  func `no more than a header can say`(version: UInt8, extra: Int, count: Int, outcome: String) throws {
    let plain = try CuttablePacket.plain(version: version, protocolNumber: version == 4 ? 17 : 0)
    var head = plain.bytes + [UInt8](repeating: 0, count: extra)
    if version == 4 { head[0] = UInt8(0x40 | head.count / 4) }
    let first = CuttablePacket(
      bytes: head, headerLength: head.count, nextHeaderField: version == 6 && extra > 0 ? 40 : 6)
    let later = try CuttablePacket.plain(version: version)
    let data = [UInt8](repeating: 5, count: count)
    var queue = TestQueue()
    #expect(queue.add(first.fragment(0..<32768, more: true, data: Array(data[..<32768])), 0).name == "held")
    let last = later.fragment(32768..<count, more: false, data: Array(data[32768...]))
    let result = queue.add(last, 1)
    #expect(result.name == outcome)
    #expect(queue.counters.oversize == (outcome == "complete" ? 0 : 1))
    #expect(queue.counters.reassembled == (outcome == "complete" ? 1 : 0))
    switch result {
    case .complete(let datagram): #expect(datagram.assembled()?.count == head.count + count)
    case .broken(let datagram):
      #expect(datagram.fragments.count == 2 && datagram.assembled() == nil && queue.heldBytes == 0)
    default: break
    }
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `a packet that is not fragmented is whole`(version: UInt8) throws {
    for round in 0..<50 {
      var random = SeededGenerator(stream: UInt64(round))
      let packet = try CuttablePacket.random(version: version, &random)
      var queue = TestQueue()
      let plain = queue.add(packet.bytes, 0).datagram?.assembled()
      #expect(plain == packet.bytes, "seed \(testSeed), round \(round)")
      let atomic = queue.add(packet.fragment(0..<packet.data.count), 1).datagram?.assembled()
      #expect(atomic == packet.bytes, "seed \(testSeed), round \(round)")
      #expect(queue.heldDatagrams == 0 && queue.counters.reassembled == 2)
    }
  }
}
