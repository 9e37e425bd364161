/// Datagrams that wait for fragments, each in a slot: found by key, and by age among all and among those of
/// one source. All of it O(1).
struct HeldDatagrams<Note: Sendable>: Sendable {
  typealias Datagram = FragmentQueue<Note>.Datagram

  /// By slot; empty where the slot is free.
  var datagrams: [Datagram] = []
  private var origins: [(key: DatagramKey, arrival: UInt64)] = []
  private var free: [Int] = []
  private var slots: [DatagramKey: Int] = [:]
  private var versions = AgeOrder<UInt8>()
  private var sources = AgeOrder<DatagramKey.Source>()

  var count: Int { slots.count }
  func count(from source: DatagramKey.Source) -> Int { sources.count(of: source) }

  func slot(of key: DatagramKey) -> Int? { slots[key] }
  /// When the datagram was appended.
  func arrival(_ slot: Int) -> UInt64 { origins[slot].arrival }

  func oldest(ofVersion version: UInt8) -> Int? { versions.oldest(of: version) }
  func oldest(from source: DatagramKey.Source) -> Int? { sources.oldest(of: source) }
  var oldest: Int? {
    guard let four = oldest(ofVersion: 4), let six = oldest(ofVersion: 6) else {
      return oldest(ofVersion: 4) ?? oldest(ofVersion: 6)
    }
    return arrival(four) <= arrival(six) ? four : six
  }

  /// - Parameter key: One that no other has.
  mutating func append(_ datagram: Datagram, _ key: DatagramKey, now: UInt64) {
    let slot = free.popLast() ?? datagrams.count
    if slot == datagrams.count {
      datagrams.append(datagram)
      origins.append((key, now))
    } else {
      datagrams[slot] = datagram
      origins[slot] = (key, now)
    }
    slots[key] = slot
    versions.append(slot, to: key.source.version)
    sources.append(slot, to: key.source)
  }

  mutating func remove(_ slot: Int) -> Datagram {
    var datagram = Datagram()
    swap(&datagram, &datagrams[slot])
    let key = origins[slot].key
    slots[key] = nil
    free.append(slot)
    versions.remove(slot, from: key.source.version)
    sources.remove(slot, from: key.source)
    return datagram
  }
}
