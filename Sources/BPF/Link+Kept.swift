import Glibc
import Kernel

/// Attachments that outlive a process (``PinDirectory``).
extension Link {
  /// The attachment that is pinned under a name; nil where none is, or its interface is gone.
  package static func kept(
    _ name: String, in pins: PinDirectory, on interface: UInt32, _ point: AttachPoint
  ) -> Link? {
    guard let descriptor = pins.open(name) else { return nil }
    let link = Link(descriptor)
    guard let identifier = link.identifier, attached(to: interface, point).contains(identifier) else {
      return nil
    }
    return link
  }

  /// The interface that a pinned attachment is on, 0 when that is gone; nil for what is no attachment.
  package static func interface(ofPinned path: String) -> UInt32? {
    guard let descriptor = PinDirectory.open(path) else { return nil }
    return ObjectInformation(descriptor).flatMap { $0.word(at: 0) == tcx ? $0.word(at: 16) : nil }
  }

  /// Whether anything is attached there.
  package static func isAnyAttached(to interface: UInt32, _ point: AttachPoint) -> Bool {
    !attached(to: interface, point).isEmpty
  }

  /// BPF_LINK_TYPE_TCX
  private static var tcx: UInt32 { 11 }

  /// The kernel's number of it (struct bpf_link_info: type, identifier, …).
  private var identifier: UInt32? { ObjectInformation(descriptor)?.word(at: 4) }

  /// The numbers of what is attached to one direction of an interface of this network namespace (BPF_PROG_QUERY).
  private static func attached(to interface: UInt32, _ point: AttachPoint) -> [UInt32] {
    var links = [UInt32](repeating: 0, count: 64)
    var programs = links
    var attributes = BPFAttributes()
    attributes.store(interface, at: 0)
    attributes.store(point.rawValue, at: 4)
    attributes.store(UInt32(links.count), at: 24)
    let result = unsafe links.withUnsafeMutableBytes { links in
      unsafe programs.withUnsafeMutableBytes { programs in
        unsafe attributes.storeAddress(UnsafeRawPointer(programs.baseAddress), at: 16)
        unsafe attributes.storeAddress(UnsafeRawPointer(links.baseAddress), at: 40)
        return attributes.call(.programQuery)
      }
    }
    return result == 0 ? Array(links.prefix(Int(attributes.load(at: 24)))) : []
  }
}

/// What the kernel tells of an object (BPF_OBJ_GET_INFO_BY_FD), its first 64 bytes.
struct ObjectInformation {
  private var words = InlineArray<16, UInt32>(repeating: 0)

  init?(_ object: borrowing Descriptor) {
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: object.number), at: 0)
    attributes.store(UInt32(64), at: 4)
    let result = unsafe withUnsafeMutableBytes(of: &words) { bytes in
      unsafe attributes.storeAddress(UnsafeRawPointer(bytes.baseAddress), at: 8)
      return attributes.call(.objectInfo)
    }
    guard result == 0 else { return nil }
  }

  func word(at offset: Int) -> UInt32 { words[offset / 4] }
}
