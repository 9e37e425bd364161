/// Fragments of datagrams that are not whole yet; keeps the originals, each with a note of its owner's.
///
/// It judges fragments as FreeBSD's ip_reass and frag6_input do. Header checksums are the owner's business.
package struct FragmentQueue<Note: Sendable>: Sendable {
  package enum Outcome: Sendable {
    /// Kept, until the others come. To make room for it, datagrams may have been evicted, see
    /// ``FragmentQueue/takeEvicted()``; where a limit is very low, its own as well.
    case held
    /// The datagram is whole.
    case complete(Datagram)
    /// This fragment is no good: dropped and counted.
    case refused
    /// The datagram was given up because of this fragment: what was held, the new one last.
    case broken(Datagram)
  }

  package let limits: Limits
  package private(set) var counters = Counters()
  /// Without those that wait to be taken.
  package private(set) var heldBytes = 0
  private var index = DatagramIndex()
  /// By the slots of the index; empty where a slot is free.
  private var held: [Datagram] = []
  private var expired: [Datagram] = []
  private var evicted: [Datagram] = []

  package init(limits: Limits = Limits()) { self.limits = limits }

  /// Without those that wait to be taken.
  package var heldDatagrams: Int { index.count }

  /// - Parameters:
  ///   - packet: An IPv4 fragment, or an IPv6 packet with a Fragment header, from the IP header on. One that
  ///     is not fragmented at all is complete.
  ///   - domain: Keeps apart what must not meet, such as incoming and outgoing.
  ///   - now: In nanoseconds, of a clock that does not go back.
  /// - Complexity: O(n) in the fragments of one datagram, whatever else is held.
  package mutating func add(_ packet: RawSpan, _ note: Note, domain: UInt8, now: UInt64) -> Outcome {
    expire(now: now)
    counters.fragments += 1
    guard let fragment = Fragment(packet, domain: domain), fragment.isSound else {
      return refuse(\.invalid)
    }
    guard !fragment.isBeyondLimit else { return refuse(\.oversize) }
    let bytes = packet.extracting(first: fragment.packetLength).byteArray
    guard !fragment.isWhole else {
      // Of no concern to others with the same identification (RFC 6946 §4).
      counters.reassembled += 1
      return .complete(Datagram(fragment, bytes, note))
    }
    guard let slot = index.slot(of: fragment.key) else {
      hold(Datagram(fragment, bytes, note), fragment.key, now: now)
      makeRoom(beside: fragment.key.source)
      return .held
    }
    switch held[slot].join(fragment, bytes, note) {
    case .duplicate: return refuse(\.duplicate)
    case .contradictory: return refuse(\.invalid)
    case .mixedCongestion: return refuse(\.mixedCongestion)
    case .forbiddenOverlap:
      heldBytes += bytes.count
      held[slot].keep(bytes, note)
      return breakUp(slot, \.overlapping)
    case .joined(let overlapping):
      heldBytes += bytes.count
      if overlapping { counters.overlapping += 1 }
    }
    if held[slot].isWhole {
      guard held[slot].fitsHeader else { return breakUp(slot, \.oversize) }
      counters.reassembled += 1
      return .complete(take(slot))
    }
    // As in FreeBSD, one more may come than may be held: it could have been the last.
    guard held[slot].fragments.count <= limits.fragmentsPerDatagram else { return breakUp(slot, \.tooMany) }
    makeRoom(beside: fragment.key.source)
    return .held
  }

  /// The datagrams whose time is over, in order.
  package mutating func takeExpired(now: UInt64) -> [Datagram] {
    expire(now: now)
    defer { expired = [] }
    return expired
  }

  /// The datagrams that had to make room, in order. To be taken after every ``add(_:_:domain:now:)``, since
  /// they are kept until then beyond all limits.
  package mutating func takeEvicted() -> [Datagram] {
    defer { evicted = [] }
    return evicted
  }

  /// When there will be something for ``takeExpired(now:)``; nil while nothing is held.
  package var nextExpiry: UInt64? { expired.isEmpty ? nextToExpire?.time : 0 }

  /// Takes out the datagram that a packet would belong to, such as when one of its fragments was denied.
  package mutating func giveUp(_ packet: RawSpan, domain: UInt8) -> Datagram? {
    guard let fragment = Fragment(packet, domain: domain), !fragment.isWhole,
      let slot = index.slot(of: fragment.key)
    else { return nil }
    counters.givenUp += 1
    return take(slot)
  }

  private mutating func refuse(_ counter: WritableKeyPath<Counters, UInt64>) -> Outcome {
    counters[keyPath: counter] += 1
    return .refused
  }

  private mutating func breakUp(_ slot: Int, _ counter: WritableKeyPath<Counters, UInt64>) -> Outcome {
    counters[keyPath: counter] += 1
    return .broken(take(slot))
  }

  private mutating func hold(_ datagram: Datagram, _ key: DatagramKey, now: UInt64) {
    let slot = index.insert(key, now: now)
    if slot == held.count { held.append(datagram) } else { held[slot] = datagram }
    heldBytes += datagram.byteCount
  }

  private mutating func take(_ slot: Int) -> Datagram {
    var datagram = Datagram()
    swap(&datagram, &held[slot])
    index.remove(slot)
    heldBytes -= datagram.byteCount
    return datagram
  }

  /// The oldest goes: of the same source, when that has too many, else of all.
  private mutating func makeRoom(beside source: DatagramKey.Source) {
    while index.count(from: source) > limits.datagramsPerSource, let slot = index.oldest(from: source) {
      evict(slot)
    }
    while index.count > limits.datagrams || heldBytes > limits.bytes, let slot = index.oldest {
      evict(slot)
    }
  }

  private mutating func evict(_ slot: Int) {
    counters.evicted += 1
    evicted.append(take(slot))
  }

  private mutating func expire(now: UInt64) {
    while let (slot, time) = nextToExpire, time <= now {
      counters.timedOut += 1
      expired.append(take(slot))
    }
  }

  /// Each version has a lifetime of its own, so its oldest is its first to go.
  private var nextToExpire: (slot: Int, time: UInt64)? {
    let four = nextToExpire(ofVersion: 4, after: limits.lifetimeIPv4)
    let six = nextToExpire(ofVersion: 6, after: limits.lifetimeIPv6)
    guard let four, let six else { return four ?? six }
    return four.time <= six.time ? four : six
  }

  private func nextToExpire(ofVersion version: UInt8, after lifetime: UInt64) -> (slot: Int, time: UInt64)? {
    index.oldest(ofVersion: version).map { slot in
      let (time, overflow) = index.arrival(slot).addingReportingOverflow(lifetime)
      return (slot, overflow ? .max : time)
    }
  }
}
