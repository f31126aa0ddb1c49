//! Data sets that can be fetched. A file is what its SHA-256 says, wherever it comes from.

/// A set of files.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// What it is, in a few words.
    pub(crate) what: &'static str,
    /// Address of the folder that the files come from, unless another is named.
    pub(crate) base: &'static str,
    pub(crate) files: &'static [SetFile],
}

/// A file of a set.
pub(crate) struct SetFile {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    /// SHA-256, lower-case hex.
    pub(crate) sha256: &'static str,
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> SetFile {
    SetFile { name, bytes, sha256 }
}

/// All of them.
pub(crate) const SETS: [Set; 2] = [
    Set {
        name: "fashion-mnist",
        what: "28 × 28 grey images of clothes, 10 classes, 60,000 and 10,000 (Xiao, Rasul, Vollgraf 2017; MIT)",
        // The MD5 sums of files with these hashes are those of the set's README.
        base: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ],
    },
    Set {
        name: "mnist",
        what: "28 × 28 grey images of digits, 10 classes, 60,000 and 10,000 (LeCun, Cortes, Burges)",
        // Sizes and hashes as published by several programs that fetch the set, which agree.
        base: "http://ossci-datasets.s3.amazonaws.com/mnist",
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ],
    },
];
