import BPF
package import DivertWire
package import Kernel

/// The table as memory, for divertd, which has to know by which interface a packet leaves that it judges.
package struct PathReader: ~Copyable {
  private let memory: SharedMapping

  package init(_ maps: borrowing HookMaps) throws(SystemError) {
    memory = try SharedMapping(of: maps.paths.descriptor, length: PathEntry.size * PathEntry.capacity)
  }

  /// Where the packet with a path in its frame was going; nil where the entry is another's by now.
  package func transmitInterface(of path: FramePath) -> UInt32? {
    let entry = Int(path.slot) * PathEntry.size
    let sequence = UInt32(truncatingIfNeeded: memory.word(at: entry))
    guard path.check != 0, sequence & 1 == 0, UInt8(sequence >> 1 & 0x7f | 0x80) == path.check else {
      return nil
    }
    let transmit = PathEntry.path + PathEntry.Path.transmitInterface
    let interface = UInt32(truncatingIfNeeded: memory.word(at: entry + transmit))
    return UInt32(truncatingIfNeeded: memory.word(at: entry)) == sequence ? interface : nil
  }
}
