//! The settings that PyTorch is measured in.

use clap::ValueEnum;

/// How PyTorch is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Setting {
    /// PyTorch's defaults, in float32.
    Eager,
    /// Network and images in `torch.channels_last`, in float32 (TF32 convolutions on a GPU).
    ChannelsLast,
    /// The same through `torch.compile`; left out where that fails.
    Compile,
    /// `torch.channels_last`, with forward pass and loss under `torch.autocast` in bfloat16: listed apart.
    Bf16,
}

impl Setting {
    /// The name on the command line, in the table and for the script.
    pub fn name(self) -> &'static str {
        match self {
            Setting::Eager => "eager",
            Setting::ChannelsLast => "channels_last",
            Setting::Compile => "compile",
            Setting::Bf16 => "bf16",
        }
    }

    /// Whether PyTorch's best is looked for among its figures.
    pub fn is_float32(self) -> bool {
        self != Setting::Bf16
    }

    /// The settings of `chosen`, each once, in the order in which they are measured; where it is empty, those that
    /// fit the device.
    pub fn select(chosen: &[Setting], on_cpu: bool) -> Vec<Setting> {
        let fits = |setting: &Setting| match chosen {
            [] => on_cpu || matches!(setting, Setting::ChannelsLast | Setting::Bf16),
            _ => chosen.contains(setting),
        };
        let all = Setting::value_variants().iter().copied();
        all.filter(fits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a GPU is measured in what only pays on a CPU, or a setting that is named twice is measured twice.
    #[test]
    fn settings_that_fit_the_device_are_measured_unless_some_are_chosen() {
        let all = Setting::value_variants();
        let fit_a_gpu = [Setting::ChannelsLast, Setting::Bf16];
        assert_eq!(Setting::select(&[], true), all);
        assert_eq!(Setting::select(&[], false), fit_a_gpu);
        let chosen = [Setting::Compile, Setting::Eager, Setting::Compile];
        let measured = [Setting::Eager, Setting::Compile];
        assert_eq!(Setting::select(&chosen, true), measured);
        assert_eq!(Setting::select(&chosen, false), measured);
    }
}
