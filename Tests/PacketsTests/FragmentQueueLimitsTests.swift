import Packets
import TestSupport
import Testing

struct FragmentQueueLimitsTests {
  static let second: UInt64 = 1_000_000_000

  /// The first fragment of a datagram, 36 or 56 bytes.
  static func first(
    _ identification: UInt16, source: UInt32 = 1, version: UInt8 = 4
  ) throws -> [UInt8] {
    try CuttablePacket.plain(version: version, source: source, identification: identification)
      .fragment(0..<16, more: true, data: [UInt8](repeating: 0, count: 16))
  }

  @Test func `each version has its lifetime, from the first that came`() throws {
    var queue = TestQueue()
    #expect(queue.nextExpiry == nil)
    let packet = try CuttablePacket.plain(version: 4, data: [UInt8](0..<64))
    _ = queue.add(try Self.first(0, version: 6), 0, now: 1 * Self.second)
    _ = queue.add(packet.fragment(0..<8), 1, now: 5 * Self.second)
    _ = queue.add(try Self.first(2), 2, now: 9 * Self.second)
    // a later fragment gives no more time
    _ = queue.add(packet.fragment(16..<24), 3, now: 20 * Self.second)
    #expect(queue.nextExpiry == 35 * Self.second && queue.heldDatagrams == 3)

    #expect(queue.takeExpired(now: 35 * Self.second - 1).isEmpty)
    let gone = queue.takeExpired(now: 35 * Self.second)
    #expect(gone.map { $0.fragments.map(\.note) } == [[1, 3]])
    #expect(gone[0].assembled() == nil && !gone[0].isWhole)
    #expect(queue.nextExpiry == 39 * Self.second && queue.heldDatagrams == 2)
    #expect(queue.takeExpired(now: 61 * Self.second).map { $0.fragments.map(\.note) } == [[2], [0]])
    #expect(queue.counters.timedOut == 3 && queue.heldBytes == 0 && queue.nextExpiry == nil)
    #expect(queue.takeExpired(now: .max).isEmpty)
  }

  @Test func `what is over meets nothing new, and is not lost`() throws {
    let packet = try CuttablePacket.plain(version: 4, data: [UInt8](0..<16))
    var queue = TestQueue()
    _ = queue.add(packet.fragment(0..<8), 1, now: 0)
    #expect(queue.add(packet.fragment(8..<16), 2, now: 30 * Self.second).name == "held")
    #expect(queue.nextExpiry == 0)
    #expect(queue.takeExpired(now: 30 * Self.second).map { $0.fragments.map(\.note) } == [[1]])
    #expect(queue.nextExpiry == 60 * Self.second)
  }

  @Test func `a lifetime without end`() throws {
    var limits = TestQueue.Limits()
    limits.lifetimeIPv4 = .max
    var queue = TestQueue(limits: limits)
    _ = queue.add(try Self.first(1), 1, now: 5)
    #expect(queue.nextExpiry == .max)
    #expect(queue.takeExpired(now: .max - 1).isEmpty)
  }

  @Test func `the oldest of a source that has too many makes room`() throws {
    var limits = TestQueue.Limits()
    limits.datagramsPerSource = 3
    var queue = TestQueue(limits: limits)
    _ = queue.add(try Self.first(0, source: 9), 100)
    for note in 0..<5 { _ = queue.add(try Self.first(UInt16(note)), note) }
    #expect(queue.takeEvicted().map { $0.fragments.map(\.note) } == [[0], [1]])
    #expect(queue.takeEvicted().isEmpty)
    // another domain is another source
    for note in 5..<8 { _ = queue.add(try Self.first(UInt16(note)), note, domain: 1) }
    #expect(queue.takeEvicted().isEmpty && queue.heldDatagrams == 7 && queue.counters.evicted == 2)
    #expect(queue.heldBytes == 7 * 36)
  }

  @Test func `the oldest of all makes room`() throws {
    var limits = TestQueue.Limits()
    limits.datagrams = 4
    var queue = TestQueue(limits: limits)
    for note in 0..<6 {
      let packet = try Self.first(UInt16(note), source: UInt32(note), version: note % 2 == 0 ? 4 : 6)
      _ = queue.add(packet, note, now: UInt64(note))
    }
    #expect(queue.takeEvicted().map { $0.fragments.map(\.note) } == [[0], [1]])
    #expect(queue.heldDatagrams == 4)
  }

  @Test func `the oldest makes room when bytes run out`() throws {
    var limits = TestQueue.Limits()
    limits.bytes = 100
    var queue = TestQueue(limits: limits)
    let packet = try CuttablePacket.plain(version: 4, identification: 1, data: [UInt8](0..<80))
    _ = queue.add(packet.fragment(0..<16), 1)
    _ = queue.add(try Self.first(2), 2)
    #expect(queue.takeEvicted().isEmpty && queue.heldBytes == 72)
    _ = queue.add(try Self.first(3), 3)
    #expect(queue.takeEvicted().map { $0.fragments.map(\.note) } == [[1]])
    // one that is too big alone goes as well, as soon as it is the oldest
    #expect(queue.add(packet.fragment(0..<72), 4).name == "held")
    #expect(queue.takeEvicted().map { $0.fragments.map(\.note) } == [[2], [3]])
    #expect(queue.add(packet.fragment(72..<80), 5).name == "complete")
    let big = try CuttablePacket.plain(version: 4, data: [UInt8](0..<200))
    #expect(queue.add(big.fragment(0..<96), 6).name == "held")
    #expect(queue.takeEvicted().map { $0.fragments.map(\.note) } == [[6]])
    #expect(queue.heldBytes == 0 && queue.heldDatagrams == 0)
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `a datagram of too many fragments is given up`(version: UInt8) throws {
    let packet = try CuttablePacket.plain(version: version, data: [UInt8](0..<80))
    for last in [false, true] {
      var limits = TestQueue.Limits()
      limits.fragmentsPerDatagram = 4
      var queue = TestQueue(limits: limits)
      for index in 0..<4 {
        #expect(queue.add(packet.fragment((index * 8)..<(index * 8 + 8)), index).name == "held")
      }
      // one more may come if it is the last that was missing
      let outcome = queue.add(packet.fragment(last ? 32..<80 : 32..<40), 4)
      #expect(outcome.name == (last ? "complete" : "broken"))
      #expect(outcome.datagram?.fragments.map(\.note) == [0, 1, 2, 3, 4])
      #expect(queue.counters.tooMany == (last ? 0 : 1) && queue.heldBytes == 0)
    }
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `a datagram is given up`(version: UInt8) throws {
    let packet = try CuttablePacket.plain(version: version, data: [UInt8](0..<80))
    var queue = TestQueue()
    _ = queue.add(packet.fragment(8..<16), 1)
    _ = queue.add(packet.fragment(24..<32), 2)
    let any = packet.fragment(40..<48)
    let whole = packet.fragment(0..<80)
    let nothing: [UInt8] = []
    #expect(queue.giveUp(any.rawSpan, domain: 1) == nil)
    #expect(queue.giveUp(whole.rawSpan, domain: 0) == nil)
    #expect(queue.giveUp(nothing.rawSpan, domain: 0) == nil)
    #expect(queue.giveUp(any.rawSpan, domain: 0)?.fragments.map(\.note) == [1, 2])
    #expect(queue.giveUp(any.rawSpan, domain: 0) == nil)
    #expect(queue.counters.givenUp == 1 && queue.heldBytes == 0 && queue.heldDatagrams == 0)
  }

  @Test(arguments: [1, 500_000] as [UInt32])
  func `a flood of first fragments stays within the limits`(sources: UInt32) throws {
    var queue = TestQueue()
    var packet = try CuttablePacket.plain(version: 4)
      .fragment(0..<512, more: true, data: [UInt8](repeating: 0, count: 512))
    let limits = queue.limits
    var (evicted, mostBytes, mostDatagrams) = (0, 0, 0)
    for number in 0..<UInt32(500_000) {
      var span = packet.mutableRawSpan
      span.store(number % sources, at: 12)
      span.store(number / 65536, at: 16)
      span.store(UInt16(truncatingIfNeeded: number), at: 4)
      _ = queue.add(packet.rawSpan, Int(number), domain: 0, now: UInt64(number))
      mostBytes = max(mostBytes, queue.heldBytes)
      mostDatagrams = max(mostDatagrams, queue.heldDatagrams)
      evicted += queue.takeEvicted().count
    }
    #expect(mostDatagrams == (sources == 1 ? limits.datagramsPerSource : limits.datagrams))
    #expect(mostBytes == mostDatagrams * packet.count && mostBytes <= limits.bytes)
    #expect(evicted + queue.heldDatagrams == 500_000 && queue.counters.evicted == UInt64(evicted))
    #expect(queue.takeExpired(now: .max).count == mostDatagrams && queue.heldBytes == 0)
  }

  /// Against a plain list: which go, and in which order.
  @Test func `random comings and goings`() throws {
    struct Held { var key: UInt16, source: UInt32, version: UInt8, arrival: UInt64, note: Int }
    for round in 0..<20 {
      var random = SeededGenerator(stream: UInt64(round))
      var limits = TestQueue.Limits()
      (limits.datagrams, limits.datagramsPerSource) = (20, 6)
      (limits.lifetimeIPv4, limits.lifetimeIPv6) = (300, 700)
      var queue = TestQueue(limits: limits)
      var list: [Held] = []
      var now: UInt64 = 0
      for note in 0..<2000 {
        now += UInt64.random(in: 0...30, using: &random)
        let expired = list.enumerated()
          .map { ($0.element.arrival + ($0.element.version == 4 ? 300 : 700), $0.element) }
          .filter { $0.0 <= now }
          .sorted { ($0.0, $0.1.version) < ($1.0, $1.1.version) }
          .map(\.1.note)
        list.removeAll { expired.contains($0.note) }
        #expect(
          queue.takeExpired(now: now).map { $0.fragments[0].note } == expired,
          "seed \(testSeed), round \(round), note \(note)")

        let version: UInt8 = .random(using: &random) ? 4 : 6
        let (key, source) = (UInt16(note), UInt32.random(in: 1...5, using: &random))
        let packet = try CuttablePacket.plain(
          version: version, source: source, identification: key, data: [UInt8](0..<16))
        var fragment = packet.fragment(0..<8)
        if version == 6 { fragment.replaceSubrange(46..<48, with: [UInt8(key >> 8), UInt8(key & 0xff)]) }
        if Int.random(in: 0...3, using: &random) == 0, let victim = list.randomElement(using: &random) {
          var other = try CuttablePacket.plain(
            version: victim.version, source: victim.source, identification: victim.key, data: [UInt8](0..<16)
          ).fragment(8..<16)
          if victim.version == 6 {
            other.replaceSubrange(46..<48, with: [UInt8(victim.key >> 8), UInt8(victim.key & 0xff)])
          }
          let outcome = queue.add(other, note, now: now)
          #expect(outcome.datagram?.fragments.map(\.note) == [victim.note, note])
          list.removeAll { $0.note == victim.note }
          continue
        }
        #expect(queue.add(fragment, note, now: now).name == "held")
        list.append(Held(key: key, source: source, version: version, arrival: now, note: note))
        var evicted: [Int] = []
        func evict(_ isCandidate: (Held) -> Bool) {
          // at one time, IPv4 goes first
          guard
            let oldest = list.filter(isCandidate).min(by: {
              ($0.arrival, $0.version) < ($1.arrival, $1.version)
            })
          else { return }
          evicted.append(oldest.note)
          list.removeAll { $0.note == oldest.note }
        }
        let isNeighbour = { (other: Held) in other.source == source && other.version == version }
        if list.filter(isNeighbour).count > 6 { evict(isNeighbour) }
        if list.count > 20 { evict { _ in true } }
        #expect(
          queue.takeEvicted().map { $0.fragments[0].note } == evicted,
          "seed \(testSeed), round \(round), note \(note)")
        #expect(queue.heldDatagrams == list.count)
      }
    }
  }
}
