import Packets
import TestSupport
import Testing

struct FragmentPropertiesTests {
  /// Random parts that cover so many bytes, all but the last a multiple of 8 long.
  static func parts(of count: Int, _ random: inout SeededGenerator) -> [Range<Int>] {
    var cuts: Set<Int> = []
    for _ in 0..<Int.random(in: 1...30, using: &random) {
      cuts.insert(Int.random(in: 0...(count / 8), using: &random) * 8)
    }
    let edges = cuts.subtracting([0, count]).sorted()
    return zip([0] + edges, edges + [count]).map { $0..<$1 }
  }

  /// More parts of the same data, anywhere.
  static func overlaps(of count: Int, _ random: inout SeededGenerator) -> [Range<Int>] {
    (0..<Int.random(in: 0...10, using: &random)).compactMap { _ in
      let edges = [0, 0].map { _ in Int.random(in: 0...(count / 8 + 1), using: &random) * 8 }
      let (lower, upper) = (min(edges[0], edges[1]), min(count, max(edges[0], edges[1])))
      return lower < upper && (upper == count || upper % 8 == 0) ? lower..<upper : nil
    }
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `in whatever order fragments come, the whole is the original`(version: UInt8) throws {
    for round in 0..<400 {
      var random = SeededGenerator(stream: UInt64(round))
      let packet = try CuttablePacket.random(version: version, &random)
      let parts = Self.parts(of: packet.data.count, &random)
      var all = parts
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        if let part = parts.randomElement(using: &random) { all.append(part) }
      }
      if version == 4 { all += Self.overlaps(of: packet.data.count, &random) }
      all.removeAll { $0.count == packet.data.count }  // whole by itself
      guard all.count > 1 else { continue }
      all.shuffle(using: &random)

      var queue = TestQueue()
      var wholes: [[UInt8]?] = []
      var missing = Set(0..<(packet.data.count + 7) / 8)
      for (note, part) in all.enumerated() {
        let outcome = queue.add(packet.fragment(part), note)
        missing.subtract((part.lowerBound / 8)..<((part.upperBound + 7) / 8))
        #expect(outcome.name != "broken", "seed \(testSeed), round \(round)")
        if case .complete(let datagram) = outcome { wholes.append(datagram.assembled()) }
        // whole as soon as nothing is missing; what comes later begins anew
        #expect(wholes.isEmpty == !missing.isEmpty, "seed \(testSeed), round \(round)")
        if !wholes.isEmpty { break }
      }
      #expect(wholes == [packet.bytes], "seed \(testSeed), round \(round), \(all)")
    }
  }

  /// Overlapping fragments of different data, against a table of who wrote each byte.
  @Test func `of two that overlap, the one that begins before and came before stays`() throws {
    for round in 0..<2000 {
      var random = SeededGenerator(stream: UInt64(round))
      let count = Int.random(in: 9...160, using: &random)
      let packet = try CuttablePacket.plain(version: 4, data: [UInt8](repeating: 0, count: count))
      var parts = Self.parts(of: count, &random) + Self.overlaps(of: count, &random)
      parts += Self.overlaps(of: count, &random)
      parts.removeAll { $0.count == count }
      parts.shuffle(using: &random)

      var queue = TestQueue()
      var writers = [Int?](repeating: nil, count: count)
      var end: Int?
      for (note, part) in parts.enumerated() {
        let data = [UInt8](repeating: UInt8(note + 1), count: part.count)
        let outcome = queue.add(packet.fragment(part, data: data), note)
        // the one before keeps its run of bytes
        var start = part.lowerBound
        if let before = writers[start] {
          while start < part.upperBound, writers[start] == before { start += 1 }
        }
        let note = "seed \(testSeed), round \(round), \(parts), \(part)"
        guard start < part.upperBound else {
          #expect(outcome.name == "refused", "\(note)")
          continue
        }
        for place in start..<part.upperBound { writers[place] = data.first.map(Int.init) }
        if part.upperBound == count { end = count }
        guard end != nil, !writers.contains(nil) else {
          #expect(outcome.name == "held", "\(note)")
          continue
        }
        let assembled = outcome.datagram?.assembled()?.dropFirst(20).map(Int.init)
        #expect(assembled == writers.compactMap { $0 }, "\(note)")
        break
      }
    }
  }

  @Test func `garbage does no harm`() throws {
    var random = SeededGenerator()
    var limits = TestQueue.Limits()
    (limits.datagrams, limits.datagramsPerSource, limits.fragmentsPerDatagram) = (50, 20, 6)
    limits.bytes = 20_000
    var queue = TestQueue(limits: limits)
    var outcomes: [String: Int] = [:]
    for round in 0..<40_000 {
      let version: UInt8 = .random(using: &random) ? 4 : 6
      var packet = try CuttablePacket.plain(version: version).bytes
      packet += random.bytes(Int.random(in: 0...80, using: &random))
      packet[version == 4 ? 3 : 5] = UInt8(version == 4 ? packet.count : packet.count - 40)
      if version == 4 {
        packet[6] = .random(using: &random) ? 0x20 : 0
        packet[7] = .random(in: 0...12, using: &random)
      } else {
        packet[6] = ([0, 43, 44, 44, 44, 51, 60] as [UInt8]).randomElement(using: &random) ?? 0
        let head: [UInt8] = [
          [0, 17, 44, 60].randomElement(using: &random) ?? 0, 0, 0, .random(in: 0...99, using: &random), 0, 0,
          0,
          .random(in: 0...3, using: &random),
        ]
        packet.replaceSubrange(40..<min(48, packet.count), with: head.prefix(packet.count - 40))
      }
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        packet[Int.random(in: 0..<packet.count, using: &random)] = .random(in: 0...255, using: &random)
      }
      if Int.random(in: 0...9, using: &random) == 0 {
        packet.removeLast(Int.random(in: 0...packet.count, using: &random))
      }
      let outcome = queue.add(packet, round, now: UInt64(round) * 1_000_000)
      outcomes[outcome.name, default: 0] += 1
      if let whole = outcome.datagram?.assembled() {
        let length4 = try? IPv4(whole.rawSpan).totalLength
        let length6 = try? IPv6(whole.rawSpan).totalLength
        #expect(length4 ?? length6 == whole.count, "seed \(testSeed), round \(round)")
      }
      let mtu = Int.random(in: 0...120, using: &random)
      let fragments = Fragmenting.fragments(of: packet, mtu: mtu)
      #expect(fragments?.allSatisfy { $0.count <= mtu } ?? true)
      let gone = queue.takeEvicted() + queue.takeExpired(now: UInt64(round) * 1_000_000)
      #expect(gone.allSatisfy { $0.assembled() == nil && !$0.fragments.isEmpty })
      #expect(queue.heldBytes <= limits.bytes && queue.heldDatagrams <= limits.datagrams)
    }
    // nothing of that was in vain
    #expect(
      Set(outcomes.keys) == ["held", "complete", "refused", "broken"] && outcomes.values.min() ?? 0 > 50)
  }
}
