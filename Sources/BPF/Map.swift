import Glibc
package import Kernel

/// A table that hook programs and this process share; it lives as long as its descriptor or a program that
/// uses it.
package final class Map: Sendable {
  package enum Kind: UInt32, Sendable {
    case hash = 1
    case array = 2
    case perCPUArray = 6
    /// Finds the longest prefix: a key is its length in bits, 32 bits in host order, and the bytes.
    case longestPrefix = 11
    /// Its values are descriptors of maps; replacing one is one step for all programs.
    case arrayOfMaps = 12
  }

  package let descriptor: Descriptor
  package let kind: Kind
  package let keySize: Int
  package let valueSize: Int
  package let capacity: Int
  let name: String

  /// - Parameters:
  ///   - isMappable: Whether the values of an array can be mapped into memory (BPF_F_MMAPABLE).
  ///   - inner: Of an array of maps: a map whose shape all of them have.
  package convenience init(
    _ name: String, _ kind: Kind, keySize: Int = 4, valueSize: Int, capacity: Int, isMappable: Bool = false,
    of inner: Map? = nil
  ) throws(SystemError) {
    var attributes = BPFAttributes()
    attributes.store(kind.rawValue, at: 0)
    attributes.store(UInt32(keySize), at: 4)
    attributes.store(UInt32(valueSize), at: 8)
    attributes.store(UInt32(capacity), at: 12)
    attributes.store(Self.flags(kind, isMappable: isMappable), at: 16)
    if let inner { attributes.store(UInt32(bitPattern: inner.descriptor.number), at: 20) }
    for (index, byte) in name.utf8.prefix(15).enumerated() { attributes.store(byte, at: 28 + index) }
    let number = attributes.call(.mapCreate)
    guard number >= 0 else {
      let code = errno
      throw SystemError("create the BPF map \(name)", code: code, advice: bpfAdvice(code))
    }
    self.init(
      name, kind, keySize: keySize, valueSize: valueSize, capacity: capacity, Descriptor(owning: number))
  }

  static func flags(_ kind: Kind, isMappable: Bool) -> UInt32 {
    // Entries get their memory as they come (BPF_F_NO_PREALLOC): capacities here are for hosts with many addresses.
    (isMappable ? 1 << 10 : 0) | (kind == .hash || kind == .longestPrefix ? 1 : 0)
  }

  /// One that exists already, of this shape.
  init(
    _ name: String, _ kind: Kind, keySize: Int, valueSize: Int, capacity: Int,
    _ descriptor: consuming Descriptor
  ) {
    self.descriptor = descriptor
    (self.kind, self.keySize, self.valueSize, self.capacity) = (kind, keySize, valueSize, capacity)
    self.name = name
  }

  /// From now on only programs change it: whoever else holds a descriptor may read or map it (BPF_MAP_FREEZE).
  package func freeze() throws(SystemError) {
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: descriptor.number), at: 0)
    guard attributes.call(.mapFreeze) == 0 else { throw SystemError("freeze the BPF map \(name)") }
  }

  /// How many bytes a look-up yields: per-CPU maps give one value, rounded up to 8 bytes, for each possible CPU.
  package var lookupSize: Int {
    kind == .perCPUArray ? (valueSize + 7) / 8 * 8 * possibleCPUs : valueSize
  }

  package func update<Key: BitwiseCopyable, Value: BitwiseCopyable>(
    _ key: Key, _ value: Value
  ) throws(SystemError) {
    precondition(MemoryLayout<Key>.size == keySize && MemoryLayout<Value>.size == valueSize)
    var (key, value) = (key, value)
    let result = unsafe withUnsafeBytes(of: &key) { key in
      unsafe withUnsafeBytes(of: &value) { value in unsafe call(.mapUpdate, key, value.baseAddress) }
    }
    guard result == 0 else { throw SystemError("change the BPF map \(name)") }
  }

  /// Stores a value as long as the map's.
  func update(_ key: UInt32, bytes: [UInt8]) throws(SystemError) {
    precondition(bytes.count == valueSize && keySize == 4)
    var key = key
    let result = unsafe withUnsafeBytes(of: &key) { key in
      unsafe bytes.withUnsafeBytes { value in unsafe call(.mapUpdate, key, value.baseAddress) }
    }
    guard result == 0 else { throw SystemError("change the BPF map \(name)") }
  }

  /// Sets a per-CPU value to zero on all CPUs.
  package func clear(_ key: UInt32) throws(SystemError) {
    var key = key
    let zeros = [UInt8](repeating: 0, count: lookupSize)
    let result = unsafe withUnsafeBytes(of: &key) { key in
      unsafe zeros.withUnsafeBytes { value in unsafe call(.mapUpdate, key, value.baseAddress) }
    }
    guard result == 0 else { throw SystemError("clear an entry of the BPF map \(name)") }
  }

  /// Whether there was such an entry.
  @discardableResult
  package func delete<Key: BitwiseCopyable>(_ key: Key) -> Bool {
    precondition(MemoryLayout<Key>.size == keySize)
    var key = key
    return unsafe withUnsafeBytes(of: &key) { key in unsafe call(.mapDelete, key, nil) } == 0
  }

  /// The bytes of an entry, ``lookupSize`` of them, or nil where there is none.
  package func lookup<Key: BitwiseCopyable>(_ key: Key) -> [UInt8]? {
    precondition(MemoryLayout<Key>.size == keySize)
    var key = key
    var value = [UInt8](repeating: 0, count: lookupSize)
    let result = unsafe withUnsafeBytes(of: &key) { key in
      unsafe value.withUnsafeMutableBytes { value in
        unsafe call(.mapLookup, key, UnsafeRawPointer(value.baseAddress))
      }
    }
    return result == 0 ? value : nil
  }

  /// A per-CPU value made of 64-bit words, one row of words for each CPU.
  package func words(at key: UInt32) -> [[UInt64]] {
    guard let bytes = lookup(key) else { return [] }
    let row = (valueSize + 7) / 8
    return unsafe bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / (row * 8)).map { cpu in
        (0..<row).map { unsafe bytes.loadUnaligned(fromByteOffset: (cpu * row + $0) * 8, as: UInt64.self) }
      }
    }
  }

  private func call(_ command: BPFCommand, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawPointer?) -> CInt
  {
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: descriptor.number), at: 0)
    unsafe attributes.storeAddress(key.baseAddress, at: 8)
    unsafe attributes.storeAddress(value, at: 16)
    return attributes.call(command)
  }
}

/// As the kernel counts them for per-CPU maps: those that could ever be plugged in, not those that run.
package let possibleCPUs: Int = {
  guard let text = try? readSmallFile("/sys/devices/system/cpu/possible"),
    let last = text.split(whereSeparator: { $0 == "-" || $0 == "," || $0 == "\n" }).last.flatMap({ Int($0) })
  else { return Int(sysconf(CInt(_SC_NPROCESSORS_CONF))) }
  return last + 1
}()
