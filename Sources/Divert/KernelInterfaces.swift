import Glibc
package import Packets
import Synchronization

/// The interfaces of this network namespace. What the kernel has answered is kept for a second, so that a
/// program may ask for every packet.
package final class KernelInterfaces: InterfaceDirectory {
  private struct Entry {
    var name: String?
    var firstAddress: IPv4Address?
    var time: ContinuousClock.Instant
  }
  private let cache = Mutex<[UInt32: Entry]>([:])

  package init() {}

  package func name(ofIndex index: UInt32) -> String? { entry(index).name }

  package func firstAddress(ofIndex index: UInt32) -> IPv4Address? { entry(index).firstAddress }

  package func index(ofName name: String) -> UInt32? {
    let index = unsafe if_nametoindex(name)
    return index == 0 ? nil : index
  }

  package func index(owning address: IPv4Address) -> UInt32? {
    var index: UInt32?
    Self.forEachAddress { name, candidate in
      if index == nil, candidate == address { index = self.index(ofName: name) }
    }
    return index
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
      if entry.firstAddress == nil, name == wanted { entry.firstAddress = address }
    }
    return entry
  }

  /// All IPv4 addresses, each interface's in order of configuration.
  private static func forEachAddress(_ body: (String, IPv4Address) -> Void) {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard unsafe getifaddrs(&first) == 0 else { return }
    defer { unsafe freeifaddrs(first) }
    var next = unsafe first
    while let current = unsafe next {
      unsafe next = current.pointee.ifa_next
      guard let address = unsafe current.pointee.ifa_addr,
        unsafe Int32(address.pointee.sa_family) == AF_INET
      else { continue }
      let value = unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        unsafe UInt32(bigEndian: $0.pointee.sin_addr.s_addr)
      }
      // With a label (`eth0:1`) an address's name is longer than its interface's.
      let label = unsafe String(cString: current.pointee.ifa_name)
      body(String(label.prefix { $0 != ":" }), IPv4Address(rawValue: value))
    }
  }
}
