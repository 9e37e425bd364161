import Glibc
package import Packets
import Synchronization

/// The interfaces of this network namespace. What the kernel has answered is kept for a second, so that a
/// program may ask for every packet.
package final class KernelInterfaces: InterfaceDirectory {
  private struct Entry {
    var name: String?
    var firstAddress: IPv4Address?
    var firstAddress6: IPv6Address?
    var time: ContinuousClock.Instant
  }
  private let cache = Mutex<[UInt32: Entry]>([:])

  package init() {}

  package func name(ofIndex index: UInt32) -> String? { entry(index).name }

  package func firstAddress(ofIndex index: UInt32) -> IPv4Address? { entry(index).firstAddress }

  package func firstAddress6(ofIndex index: UInt32) -> IPv6Address? { entry(index).firstAddress6 }

  package func index(ofName name: String) -> UInt32? {
    let index = unsafe if_nametoindex(name)
    return index == 0 ? nil : index
  }

  package func index(owning address: IPv4Address) -> UInt32? { index(owning: .version4(address)) }

  package func index(owning address: IPv6Address) -> UInt32? { index(owning: .version6(address)) }

  private func index(owning address: Address) -> UInt32? {
    var index: UInt32?
    Self.forEachAddress { name, candidate in
      if index == nil, candidate == address { index = self.index(ofName: name) }
    }
    return index
  }

  private enum Address: Equatable {
    case version4(IPv4Address)
    case version6(IPv6Address)
  }

  private func entry(_ index: UInt32) -> Entry {
    let now = ContinuousClock.now
    if let entry = cache.withLock({ $0[index] }), entry.time.duration(to: now) < .seconds(1) { return entry }
    let entry = Self.ask(index, at: now)
    cache.withLock { $0[index] = entry }
    return entry
  }

  private static func ask(_ index: UInt32, at now: ContinuousClock.Instant) -> Entry {
    var entry = Entry(time: now)
    entry.name = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { buffer in
      guard let start = buffer.baseAddress, unsafe if_indextoname(index, start) != nil else {
        return nil
      }
      return unsafe String(cString: start)
    }
    guard let wanted = entry.name else { return entry }
    forEachAddress { name, address in
      guard name == wanted else { return }
      switch address {
      case .version4(let address): if entry.firstAddress == nil { entry.firstAddress = address }
      case .version6(let address): if entry.firstAddress6 == nil { entry.firstAddress6 = address }
      }
    }
    return entry
  }

  /// All addresses, each interface's in order of configuration.
  private static func forEachAddress(_ body: (String, Address) -> Void) {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard unsafe getifaddrs(&first) == 0 else { return }
    defer { unsafe freeifaddrs(first) }
    var next = unsafe first
    while let current = unsafe next {
      unsafe next = current.pointee.ifa_next
      guard let address = unsafe current.pointee.ifa_addr, let value = unsafe Self.address(address) else {
        continue
      }
      // With a label (`eth0:1`) an address's name is longer than its interface's.
      let label = unsafe String(cString: current.pointee.ifa_name)
      body(String(label.prefix { $0 != ":" }), value)
    }
  }

  private static func address(_ address: UnsafeMutablePointer<sockaddr>) -> Address? {
    switch unsafe Int32(address.pointee.sa_family) {
    case AF_INET:
      return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        unsafe .version4(IPv4Address(rawValue: UInt32(bigEndian: $0.pointee.sin_addr.s_addr)))
      }
    case AF_INET6:
      return unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
        let words = unsafe withUnsafeBytes(of: address.pointee.sin6_addr) { bytes in
          unsafe (
            bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
          )
        }
        return .version6(IPv6Address(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1)))
      }
    default: return nil
    }
  }
}
