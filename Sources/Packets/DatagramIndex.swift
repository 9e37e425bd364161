/// In which slot which datagram is: by key, and by age among all and among those of one source. All of it O(1).
struct DatagramIndex: Sendable {
  private var origins: [(key: DatagramKey, arrival: UInt64)] = []
  private var free: [Int] = []
  private var slots: [DatagramKey: Int] = [:]
  private var versions = AgeOrder<UInt8>()
  private var sources = AgeOrder<DatagramKey.Source>()

  var count: Int { slots.count }
  func count(from source: DatagramKey.Source) -> Int { sources.count(of: source) }

  func slot(of key: DatagramKey) -> Int? { slots[key] }
  func arrival(_ slot: Int) -> UInt64 { origins[slot].arrival }

  func oldest(ofVersion version: UInt8) -> Int? { versions.oldest(of: version) }
  func oldest(from source: DatagramKey.Source) -> Int? { sources.oldest(of: source) }
  var oldest: Int? {
    let (four, six) = (oldest(ofVersion: 4), oldest(ofVersion: 6))
    guard let four, let six else { return four ?? six }
    return arrival(four) <= arrival(six) ? four : six
  }

  /// - Parameter key: One that is not there.
  /// - Returns: A slot that is free, or the one behind all others.
  mutating func insert(_ key: DatagramKey, now: UInt64) -> Int {
    let slot = free.popLast() ?? origins.count
    if slot == origins.count { origins.append((key, now)) } else { origins[slot] = (key, now) }
    slots[key] = slot
    versions.append(slot, to: key.source.version)
    sources.append(slot, to: key.source)
    return slot
  }

  mutating func remove(_ slot: Int) {
    let key = origins[slot].key
    slots[key] = nil
    free.append(slot)
    versions.remove(slot, from: key.source.version)
    sources.remove(slot, from: key.source)
  }
}
