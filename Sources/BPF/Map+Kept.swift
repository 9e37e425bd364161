import Glibc
package import Kernel

/// Maps that outlive a process (``PinDirectory``).
extension Map {
  /// The map that is pinned under a name, if it has that shape and at least that capacity; else a new one, which is not
  /// pinned yet.
  ///
  /// - Parameter isFrozen: See ``freeze()``.
  package static func kept(
    _ name: String, in pins: PinDirectory?, _ kind: Kind, keySize: Int = 4, valueSize: Int,
    capacity: Int, isMappable: Bool = false,
    isFrozen: Bool = false
  ) throws(SystemError) -> Map {
    if let descriptor = pins?.open(name), let information = ObjectInformation(descriptor),
      information.word(at: 20) == flags(kind, isMappable: isMappable),
      let found = Map(name, existing: descriptor), found.kind == kind, found.keySize == keySize,
      found.valueSize == valueSize, found.capacity >= capacity
    {
      return found
    }
    let map = try Map(
      name, kind, keySize: keySize, valueSize: valueSize, capacity: capacity, isMappable: isMappable)
    if isFrozen { try map.freeze() }
    return map
  }

  /// Pins the map under its name, in the place of what is pinned there.
  package func pin(in pins: PinDirectory) throws(SystemError) { try pins.pin(descriptor, as: name) }

  /// A map that exists already, whatever its shape.
  convenience init?(_ name: String, existing descriptor: consuming Descriptor) {
    // struct bpf_map_info: type, identifier, key size, value size, capacity, flags, …
    guard let information = ObjectInformation(descriptor), let kind = Kind(rawValue: information.word(at: 0))
    else { return nil }
    self.init(
      name, kind, keySize: Int(information.word(at: 8)), valueSize: Int(information.word(at: 12)),
      capacity: Int(information.word(at: 16)), descriptor)
  }

  /// All entries of a map with keys of this type.
  package func entries<Key: BitwiseCopyable>(of type: Key.Type) -> [(key: Key, value: [UInt8])] {
    precondition(MemoryLayout<Key>.size == keySize)
    var entries: [(Key, [UInt8])] = []
    var last: Key?
    while let key = key(after: last) {
      if let value = lookup(key) { entries.append((key, value)) }
      last = key
    }
    return entries
  }

  private func key<Key: BitwiseCopyable>(after last: Key?) -> Key? {
    let next = UnsafeMutableRawBufferPointer.allocate(byteCount: keySize, alignment: 8)
    defer { unsafe next.deallocate() }
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: descriptor.number), at: 0)
    unsafe attributes.storeAddress(UnsafeRawPointer(next.baseAddress), at: 16)
    guard var key = last else {
      return attributes.call(.mapGetNextKey) == 0 ? unsafe next.load(as: Key.self) : nil
    }
    let result = unsafe withUnsafeBytes(of: &key) { bytes in
      unsafe attributes.storeAddress(bytes.baseAddress, at: 8)
      return attributes.call(.mapGetNextKey)
    }
    return result == 0 ? unsafe next.load(as: Key.self) : nil
  }
}

/// Text in a map of one entry: what a process has to know of an earlier one.
extension PinDirectory {
  package func keep(_ text: String, as name: String) throws(SystemError) {
    let bytes = Array(text.utf8)
    let map = try Map("divert_text", .array, valueSize: max(1, bytes.count), capacity: 1)
    if !bytes.isEmpty { try map.update(UInt32(0), bytes: bytes) }
    try pin(map.descriptor, as: name)
  }

  /// The text that was kept under a name; nil where there is none.
  package func text(_ name: String) -> String? {
    guard let descriptor = open(name), let map = Map(name, existing: descriptor), map.keySize == 4,
      let bytes = map.lookup(UInt32(0))
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
